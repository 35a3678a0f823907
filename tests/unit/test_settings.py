"""Settings: read once, checked at start, one clear line that names the variable."""

import itertools
from pathlib import Path

import pytest

from app.settings import SECRETS, Settings, SettingsError, variable_of

EXAMPLE = Path(__file__).parents[2] / "config" / "example.env"
SECRET = "a secret that is long enough to be one"
COMPLETE = {"CLINIC_SECRET_KEY": SECRET, "CLINIC_ROLE_SECRET": SECRET}


def env_file(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def read(**variables: str) -> Settings:
    return Settings.from_environment(COMPLETE | variables)


def test_example_lists_every_setting_with_its_default():
    example = env_file(EXAMPLE)
    assert sorted(example) == sorted(variable_of(field) for field in Settings.__struct_fields__)
    assert Settings.from_environment(COMPLETE | {k: v for k, v in example.items() if v}) == read()


def test_example_has_a_line_of_explanation_before_each_group():
    lines = EXAMPLE.read_text().splitlines()
    for before, line in itertools.pairwise(lines):
        assert not line.startswith("CLINIC_") or before.startswith(("#", "CLINIC_")), line


@pytest.mark.parametrize("name", ["dev.env", "test.env"])
def test_other_samples_are_accepted(name):
    assert read(**env_file(EXAMPLE.with_name(name))).workers == 1


def test_values_get_their_types(tmp_path):
    settings = read(
        CLINIC_PORT="9000",
        CLINIC_BASE_DOMAINS="localhost, clinics.example,",
        CLINIC_QUEUE_WAIT_S="0.5",
        CLINIC_LOG_LEVEL="WARNING",
        CLINIC_DATA_DIR=str(tmp_path),
    )
    assert settings.port == 9000
    assert settings.base_domains == ("localhost", "clinics.example")
    assert settings.queue_wait_s == 0.5
    assert settings.log_level == "warning"
    assert settings.data_dir == tmp_path


def test_empty_variable_counts_as_not_set():
    assert read(CLINIC_PORT=" ") == read()


def test_other_variables_are_left_alone():
    assert read(PATH="/bin", CLINICAL="x") == read()


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("CLINIC_PROT", "1", "did you mean CLINIC_PORT?"),
        ("CLINIC_PORT_FILE", "/dev/null", "there is no such setting"),
        ("CLINIC_PORT", "eighty", "expected a whole number, not 'eighty'"),
        ("CLINIC_PORT", "70000", "<= 65535, not '70000'"),
        ("CLINIC_WORKERS", "0", ">= 1, not '0'"),
        ("CLINIC_QUEUE_WAIT_S", "inf", "not 'inf'"),
        ("CLINIC_QUEUE_WAIT_S", "nan", "not 'nan'"),
        ("CLINIC_SIGNUP_POLICY", "free", "expected one of open, closed, not 'free'"),
        ("CLINIC_LANGUAGE", "fr", "expected one of es, en"),
        ("CLINIC_BASE_DOMAINS", "https://clinics.example", "not 'https://clinics.example'"),
        ("CLINIC_BASE_DOMAINS", "localhost,*.example", "not 'localhost,*.example'"),
        ("CLINIC_BASE_DOMAINS", ",", "at least one"),
        ("CLINIC_CORS_ORIGINS", "*", "not '*'"),
        ("CLINIC_PUBLIC_URL", "clinics.example", "not 'clinics.example'"),
        ("CLINIC_POOL_DATABASE", "Pool;", "not 'Pool;'"),
        ("CLINIC_SECRET_KEY_FILE", "/no/such/file", "is set too"),
        ("CLINIC_PREVIOUS_SECRET_KEYS_FILE", "/no/such/file", "No such file"),
        ("CLINIC_POOL_SIZE_SHARED", "50", "larger than CLINIC_CONNECTIONS_MAX_PER_WORKER (40)"),
        ("CLINIC_DATABASE_URL", "mysql://u@h/d", "postgresql://"),
        ("CLINIC_DATABASE_URL", "postgresql://u@h/d?sslmode=require", "disable or verify-full"),
        ("CLINIC_DATABASE_URL", "postgresql://u@h:99999/d", "port"),
        ("CLINIC_DATABASE_URL", "postgresql://h/d", "names no user"),
        ("CLINIC_DATABASE_URL", "postgresql://u@h/d?pooler=p", "pooler must be host:port"),
        ("CLINIC_DATABASE_URL", "postgresql://u@h/d?pooler=p:0", "pooler must be host:port"),
        ("CLINIC_DATABASE_URL", "postgresql://u@h/d?pooler=:6432", "pooler must be host:port"),
    ],
)
def test_bad_setting_is_one_line_that_names_the_variable(variable, value, words):
    with pytest.raises(SettingsError) as refusal:
        read(**{variable: value})
    message = str(refusal.value)
    assert message.startswith(f"{variable}: ")
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize("field", sorted(SECRETS))
def test_secrets_are_never_repeated(field):
    with pytest.raises(SettingsError) as refusal:
        Settings.from_environment({**COMPLETE, variable_of(field): "hunter2"})
    assert "hunter2" not in str(refusal.value)
    assert SECRET not in repr(read())
    shown = repr(read(CLINIC_DATABASE_URL="postgresql://u:hunter2@h/d"))
    assert "hunter2" not in shown


def test_secrets_may_come_from_files(tmp_path):
    (tmp_path / "key").write_text(f"{SECRET} from a file\n")
    settings = Settings.from_environment(
        {"CLINIC_SECRET_KEY_FILE": str(tmp_path / "key"), "CLINIC_ROLE_SECRET": SECRET}
    )
    assert settings.secret_key == f"{SECRET} from a file"


def test_missing_secrets_are_made_once_and_kept_private(tmp_path):
    environ = {"CLINIC_DATA_DIR": str(tmp_path / "var")}
    first = Settings.from_environment(environ)
    assert Settings.from_environment(environ) == first
    assert len({first.secret_key, first.role_secret}) == 2
    for name in ("secret.key", "role.secret"):
        assert (tmp_path / "var" / name).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in (tmp_path / "var").iterdir()) == [
        "role.secret",
        "secret.key",
    ]


def test_secrets_are_required_with_an_external_server(tmp_path):
    url = "postgresql://u:p@db.example/postgres"
    with pytest.raises(SettingsError, match=r"^CLINIC_SECRET_KEY: must be set .*_FILE"):
        Settings.from_environment({"CLINIC_DATABASE_URL": url, "CLINIC_DATA_DIR": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


def test_unusable_data_directory_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"^CLINIC_DATA_DIR: cannot use .*file"):
        Settings.from_environment({"CLINIC_DATA_DIR": str(tmp_path / "file" / "var")})


def test_damaged_secret_is_refused(tmp_path):
    (tmp_path / "secret.key").write_text("short\n")
    with pytest.raises(SettingsError, match=r"secret.key has fewer than 32 characters"):
        Settings.from_environment({"CLINIC_DATA_DIR": str(tmp_path)})
