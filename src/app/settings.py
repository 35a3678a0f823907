"""Every setting of the program, read once from `CLINIC_*` variables and checked at start; see `config/example.env`."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from app.database_url import DatabaseUrlError, read_database_url
from app.secret_files import kept_secret

PREFIX: Final = "CLINIC_"
FILE_SUFFIX: Final = "_FILE"
SECRET_LENGTH_MIN: Final = 32
DATA_DIR_DEFAULT: Final = Path("./var")
# Generated below the data directory with an embedded server, required with an external one.
GENERATED: Final = {"secret_key": "secret.key", "role_secret": "role.secret"}
SECRETS: Final = frozenset({"database_url", "previous_secret_keys", *GENERATED})

Port = Annotated[int, Meta(ge=1, le=65535)]
Positive = Annotated[int, Meta(ge=1)]
NotNegative = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(gt=0, le=3600)]
Secret = Annotated[str, Meta(min_length=SECRET_LENGTH_MIN)]
Domain = Annotated[str, Meta(pattern=r"^[^\s/:@*.]+(\.[^\s/:@*.]+)*$")]
Origin = Annotated[str, Meta(pattern=r"^https?://[^\s/]+$")]
PublicUrl = Annotated[str, Meta(pattern=r"^(https?://\S*[^\s/])?$")]
DatabaseName = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,62}$")]


class SettingsError(Exception):
    """A setting is missing, unknown or has a value that cannot be used; one line that names the variable."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable}: {problem}")
        self.variable = variable


class Settings(Struct, frozen=True, kw_only=True):
    """The settings of one process; the field `port` is the variable `CLINIC_PORT`, and so on."""

    secret_key: Secret
    role_secret: Secret
    previous_secret_keys: tuple[Secret, ...] = ()
    database_url: str = ""
    data_dir: Path = DATA_DIR_DEFAULT
    registry_database: DatabaseName = "clinic_registry"
    pool_database: DatabaseName = "clinic_pool"
    host: str = "127.0.0.1"
    port: Port = 8000
    workers: Annotated[int, Meta(ge=1, le=256)] = 2
    base_domains: tuple[Domain, ...] = ("localhost",)
    public_url: PublicUrl = ""
    cors_origins: tuple[Origin, ...] = ("http://localhost:3000", "http://localhost:5173")
    signup_policy: Literal["open", "closed"] = "open"
    signup_strategy: Literal["row", "schema", "database"] = "row"
    access_token_minutes: Positive = 60
    refresh_token_days: Positive = 7
    password_length_min: Annotated[int, Meta(ge=8, le=128)] = 8
    argon2_memory_kib: Annotated[int, Meta(ge=8192)] = 19456
    argon2_time_cost: Positive = 2
    argon2_parallelism: Positive = 1
    hash_concurrency: Positive = 2
    pool_size_shared: Positive = 12
    pool_size_dedicated: Positive = 4
    connections_max_per_worker: Positive = 40
    connection_age_s_max: Positive = 1800
    concurrency_max: Positive = 4
    queue_max: NotNegative = 256
    queue_wait_s: Seconds = 5.0
    move_wait_s: Seconds = 10.0
    placement_cache_s: Seconds = 60.0
    request_body_bytes_max: Positive = 1_048_576
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"
    language: Literal["es", "en"] = "es"
    trusted_proxy_hops: NotNegative = 0

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], *, is_new_allowed: bool = True
    ) -> "Settings":
        """Return the settings that `environ` asks for; raise `SettingsError`.

        An empty variable counts as not set. Without `CLINIC_DATABASE_URL` the missing secrets are made and kept in the
        data directory, so that what is returned is always complete; unless no new one `is_new_allowed`.
        """
        given = {
            name: value
            for name, value in environ.items()
            if name.startswith(PREFIX) and value.strip()
        }
        _refuse_unknown(given)
        values = _typed(_with_files(given))
        values.setdefault("data_dir", DATA_DIR_DEFAULT.absolute())
        _check_url(values.get("database_url", ""))
        settings = cls(**{**dict.fromkeys(GENERATED, ""), **values})
        _check_pools(settings)
        if not settings.base_domains:
            raise SettingsError(variable_of("base_domains"), "at least one is needed")
        return msgspec.structs.replace(
            settings, **_missing_secrets(settings, is_new_allowed=is_new_allowed)
        )

    def __repr__(self) -> str:
        """Return the settings without the secrets among them."""
        shown = (f"{f}={getattr(self, f)!r}" for f in self.__struct_fields__ if f not in SECRETS)
        return f"Settings({', '.join(shown)})"


def variable_of(field: str) -> str:
    """Return the name of the variable that sets `field`."""
    return PREFIX + field.upper()


def _refuse_unknown(given: Mapping[str, str]) -> None:
    known = {variable_of(field) for field in Settings.__struct_fields__}
    known |= {variable_of(field) + FILE_SUFFIX for field in SECRETS}
    for name in sorted(given.keys() - known):
        similar = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {similar[0]}?" if similar else ""
        raise SettingsError(name, f"there is no such setting{hint}")


def _with_files(given: Mapping[str, str]) -> dict[str, str]:
    """Return texts by field, those of `*_FILE` variables read from their files."""
    texts = {
        field: given[variable_of(field)].strip()
        for field in Settings.__struct_fields__
        if variable_of(field) in given
    }
    for field in sorted(SECRETS):
        variable = variable_of(field) + FILE_SUFFIX
        if variable not in given:
            continue
        if field in texts:
            raise SettingsError(variable, f"{variable_of(field)} is set too; choose one")
        try:
            texts[field] = Path(given[variable]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not a text file"
            raise SettingsError(variable, f"cannot read {given[variable]}: {reason}") from error
    return texts


def _typed(texts: Mapping[str, str]) -> dict[str, Any]:
    hints = get_type_hints(Settings, include_extras=True)
    return {field: _value(field, text, hints[field]) for field, text in texts.items()}


def _value(field: str, text: str, hint: Any) -> Any:
    """Return `text` as the type of its field; the secrets are never repeated in an error."""
    if hint is Path:
        return Path(text).expanduser().absolute()
    source: Any = text
    if get_origin(hint) is tuple:
        source = [part.strip() for part in text.split(",") if part.strip()]
    elif get_origin(hint) is Literal:
        source = text.lower()
    try:
        return msgspec.convert(source, hint, strict=False)
    except msgspec.ValidationError as error:
        choices = f"one of {', '.join(hint.__args__)}" if get_origin(hint) is Literal else ""
        problem = f"expected {choices}" if choices else _plain(str(error))
        shown = "" if field in SECRETS else f", not {text!r}"
        raise SettingsError(variable_of(field), problem + shown) from error


def _plain(message: str) -> str:
    """Return msgspec's message without its notation."""
    plain = message.partition(" - at `$")[0].partition(", got")[0]
    plain = plain.replace("`int`", "a whole number").replace("`float`", "a number")
    return plain.replace("`", "").replace("Expected", "expected")


def _check_pools(settings: Settings) -> None:
    ceiling = settings.connections_max_per_worker
    for field in ("pool_size_shared", "pool_size_dedicated"):
        if getattr(settings, field) > ceiling:
            name = variable_of("connections_max_per_worker")
            raise SettingsError(variable_of(field), f"is larger than {name} ({ceiling})")


def _check_url(url: str) -> None:
    if not url:
        return
    try:
        read_database_url(url)
    except DatabaseUrlError as error:
        raise SettingsError(variable_of("database_url"), str(error)) from error


def _missing_secrets(settings: Settings, *, is_new_allowed: bool) -> dict[str, str]:
    """Return the secrets that were not given: read from the data directory, or made there."""
    missing = [field for field in GENERATED if not getattr(settings, field)]
    if missing and settings.database_url:
        variable = variable_of(missing[0])
        problem = f"must be set (or {variable}{FILE_SUFFIX}) with an external server"
        raise SettingsError(variable, problem)
    paths = {field: settings.data_dir / GENERATED[field] for field in missing}
    if not is_new_allowed and not all(path.exists() for path in paths.values()):
        problem = (
            f"there are no clinics in {settings.data_dir} yet: run `clinic serve`, `clinic demo` or"
            " `clinic migrate` there first, or choose another directory"
        )
        raise SettingsError(variable_of("data_dir"), problem)
    return {field: _kept(path) for field, path in paths.items()}


def _kept(path: Path) -> str:
    variable = variable_of("data_dir")
    try:
        secret = kept_secret(path)
    except OSError as error:
        raise SettingsError(
            variable, f"cannot use {error.filename or path}: {error.strerror}"
        ) from error
    if len(secret) < SECRET_LENGTH_MIN:
        raise SettingsError(variable, f"{path} has fewer than {SECRET_LENGTH_MIN} characters")
    return secret
