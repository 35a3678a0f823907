"""Entity tags: the version that was read, and nothing else."""

import pytest

from controllers.errors import IfMatchRequiredError, InvalidIfMatchError
from controllers.etag import entity_tag, is_known, required_version, tagged
from domain.errors import StaleVersionError


@pytest.mark.parametrize(("header", "version"), [('"1"', 1), (' "42" ', 42), ('"0"', 0)])
def test_a_strong_tag_of_ours_is_its_version(header: str, version: int) -> None:
    assert required_version(header) == version


@pytest.mark.parametrize("header", [None, "", "  "])
def test_a_change_without_if_match_is_asked_for_it(header: str | None) -> None:
    with pytest.raises(IfMatchRequiredError):
        required_version(header)


@pytest.mark.parametrize(
    "header", ["*", "1", '"1", "2"', '"1" x', '"', "W/1", '"' + "1" * 300 + '"']
)
def test_what_is_not_one_entity_tag_is_malformed(header: str) -> None:
    with pytest.raises(InvalidIfMatchError):
        required_version(header)


@pytest.mark.parametrize("header", ['W/"1"', '"abc"', '""', '"-1"', '"01"', '"99999999999"'])
def test_a_tag_that_no_row_has_is_stale(header: str) -> None:
    with pytest.raises(StaleVersionError):
        required_version(header)


def test_the_tag_that_is_sent_is_understood_when_it_comes_back() -> None:
    assert required_version(entity_tag(7)) == 7


def test_a_creation_says_where_and_which_version() -> None:
    response = tagged({"id": 1}, 1, 201, "/api/v1/things/1")
    assert response.status_code == 201
    assert response.headers == {"ETag": '"1"', "Location": "/api/v1/things/1"}


@pytest.mark.parametrize(
    ("header", "known"),
    [('"3"', True), ('W/"3"', True), ('"1", "3"', True), ("*", True), ('"2"', False), ("3", False)],
)
def test_if_none_match_is_compared_weakly(header: str, *, known: bool) -> None:
    assert is_known(header, '"3"') is known
