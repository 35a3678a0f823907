"""The reference page shows what the document says, escaped, without anything from elsewhere."""

import re
from typing import Any

import pytest

from app.docs_page import problems_page, reference_page

DOCUMENT: dict[str, Any] = {
    "info": {"title": "A <b>", "version": "1.2.3", "description": "Text & more"},
    "paths": {
        "/things/{id}": {
            "get": {
                "tags": ["things"],
                "operationId": "getThing",
                "summary": "Return one <thing>",
                "parameters": [
                    {
                        "name": "id",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string", "format": "uuid"},
                    },
                    {
                        "name": "limit",
                        "in": "query",
                        "schema": {"type": "integer", "minimum": 1, "maximum": 9},
                    },
                ],
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}
                        }
                    },
                    "default": {"$ref": "#/components/responses/Problem"},
                },
                "security": [{"bearer": []}],
            },
            "post": {
                "operationId": "openOne",
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {"type": "array", "items": {"enum": ["a", "<b>"]}}
                        }
                    }
                },
                "responses": {"204": {"description": "Nothing & done"}},
                "security": [],
            },
        }
    },
    "components": {
        "schemas": {
            "Thing": {
                "type": "object",
                "required": ["name"],
                "description": "One thing",
                "properties": {
                    "name": {"type": "string", "maxLength": 5},
                    "note": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Other"}]},
                },
            },
            "Other": {"type": ["string", "null"]},
        }
    },
}


@pytest.fixture(scope="module")
def page() -> str:
    return reference_page(DOCUMENT)


@pytest.mark.parametrize(
    "shown",
    [
        "A &lt;b&gt; <small>1.2.3</small>",
        '<h2 id="tag-things">things</h2>',
        '<h2 id="tag-other">other</h2>',
        "Return one &lt;thing&gt;",
        "<code>id</code> *",
        "integer minimum 1 maximum 9",
        "string uuid",
        '<a href="#schema-Thing">Thing</a>',
        '<details id="schema-Thing">',
        "list of <code>a</code> | <code>&lt;b&gt;</code>",
        "Nothing &amp; done",
        "string maxLength 5",
        'null | <a href="#schema-Other">Other</a>',
        "string | null",
    ],
)
def test_the_page_shows_the_document_escaped(page: str, shown: str) -> None:
    assert shown in page


def test_the_page_tells_which_routes_need_no_token(page: str) -> None:
    assert page.count("no token") == 1


def test_the_page_needs_nobody_else(page: str) -> None:
    for text in (page, problems_page("es")):
        assert "<script" not in text
        assert re.findall(r"(?:https?:)?//[a-z]", text) == []


def test_problems_are_told_in_the_readers_language() -> None:
    assert "Horario ocupado" in problems_page("es")
    assert "Time taken" in problems_page("en")
