"""Every error class of ours has its row and its texts; nothing of an unexpected error is told."""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import pytest
from litestar.exceptions import HTTPException

import auth
import controllers
import domain
import tenancy
from app.messages import preferred_language
from app.problem_documents import Described, describe, problem_document
from app.problems import HTTP_PROBLEMS, PROBLEMS, ProblemRow, row_of
from app.resolution import ResolutionError
from app.texts import DETAILS, TITLES
from auth.errors import AuthError, InvalidTokenError
from auth.rate_limits import RateLimitedError
from controllers.errors import RequestError, UnknownQueryParameterError
from domain.errors import ClinicError, InvalidFieldError, NotFoundError, StaleVersionError
from tenancy.errors import ClinicBusyError, HomeSignal, TenancyError

ROOTS = (ClinicError, TenancyError, AuthError, RateLimitedError, RequestError, ResolutionError)
PACKAGES = (auth, controllers, domain, tenancy)
OURS = ("app", "auth", "controllers", "domain", "tenancy")


def import_all(package: ModuleType) -> None:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if "._alembic" not in module.name:
            importlib.import_module(module.name)


def subclasses(kind: type[Exception]) -> Iterator[type[Exception]]:
    for subclass in kind.__subclasses__():
        if subclass.__module__.partition(".")[0] in OURS:
            yield subclass
            yield from subclasses(subclass)


def test_every_error_class_has_a_row() -> None:
    for package in PACKAGES:
        import_all(package)
    classes = {kind for root in ROOTS for kind in (root, *subclasses(root))}
    needed = {
        kind for kind in classes if kind is not ResolutionError and not issubclass(kind, HomeSignal)
    }
    assert {kind.__qualname__ for kind in needed - PROBLEMS.keys()} == set()


@pytest.mark.parametrize(
    "row", dict.fromkeys([*PROBLEMS.values(), *HTTP_PROBLEMS.values()]), ids=str
)
def test_every_row_has_a_title_and_a_detail(row: ProblemRow) -> None:
    assert row.code in TITLES
    assert row.message_key in DETAILS
    assert 400 <= row.status < 600


def test_every_error_class_says_what_it_means() -> None:
    assert [kind for kind in PROBLEMS if not (kind.__doc__ or "").strip()] == []


def test_a_subclass_without_a_row_is_answered_as_its_base() -> None:
    class UnheardOfError(NotFoundError):
        """Nobody has heard of it."""

    assert row_of(UnheardOfError()).code == "not_found"


def document(error: Exception, accept_language: str = "es") -> dict[str, object]:
    language = preferred_language(accept_language)
    return problem_document(describe(error), language, instance="/x", request_id="r1")


def test_a_document_has_the_members_of_the_standard_and_ours() -> None:
    assert document(NotFoundError()) == {
        "type": "/docs/problems#not_found",
        "title": "No encontrado",
        "status": 404,
        "detail": "No existe en esta clínica.",
        "code": "not_found",
        "instance": "/x",
        "request_id": "r1",
    }
    assert document(NotFoundError(), "en")["title"] == "Not found"


def test_nothing_of_an_unexpected_error_is_told() -> None:
    error = RuntimeError("password of Juan")
    told = document(error)
    assert told["status"] == 500
    assert told["code"] == "internal_error"
    assert "Juan" not in str(told)


def test_what_the_framework_refuses_keeps_its_status() -> None:
    assert describe(HTTPException(status_code=404)).row.status == 404
    assert describe(HTTPException(status_code=418)).row.status == 400
    assert describe(HTTPException(status_code=502)).row.status == 500


def test_an_invalid_field_is_pointed_at() -> None:
    told = document(InvalidFieldError("/ends_at", "out_of_range"))
    assert told["errors"][0].pointer == "/ends_at"  # type: ignore[index]
    assert told["errors"][0].code == "out_of_range"  # type: ignore[index]
    assert "rango" in told["errors"][0].message  # type: ignore[index]


def test_an_unforeseen_field_code_has_a_text_in_each_language() -> None:
    error = InvalidFieldError("/a", "odd_code", "A is odd.")
    assert document(error, "en")["errors"][0].message == "A is odd."  # type: ignore[index]
    assert document(error, "es")["errors"][0].message == "El valor no es válido."  # type: ignore[index]


def test_unknown_parameters_are_named() -> None:
    told = document(UnknownQueryParameterError(("limt", "x")))
    assert [item.pointer for item in told["errors"]] == ["limt", "x"]  # type: ignore[attr-defined]


def test_data_of_an_error_stands_beside_and_never_replaces() -> None:
    told = document(ClinicError(conflicts=[1], status=200, code="mine"))
    assert told["conflicts"] == [1]
    assert told["status"] == 422
    assert told["code"] == "validation_error"


def headers(error: Exception) -> dict[str, str]:
    described: Described = describe(error)
    return described.headers


def test_headers_tell_the_way_out() -> None:
    assert headers(InvalidTokenError())["WWW-Authenticate"].startswith("Bearer ")
    assert headers(RateLimitedError(17)) == {"Retry-After": "17"}
    assert headers(ClinicBusyError()) == {"Retry-After": "1"}
    assert headers(StaleVersionError(4)) == {"ETag": '"4"'}
    assert headers(HTTPException(status_code=405, headers={"allow": "GET", "x-odd": "1"})) == {
        "allow": "GET"
    }
