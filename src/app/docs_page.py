"""The API reference as one HTML page from the OpenAPI document: no script, no asset, nothing from elsewhere."""

from collections import defaultdict
from collections.abc import Iterator
from html import escape
from typing import Any, Final

from app.messages import Language, Text
from app.texts import TITLES

DEPTH_MAX: Final = 4
"""How deep a type is spelled out before its schema's name must do."""

STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2733 }
nav ul { columns: 3; padding: 0; list-style: none }
h2 { border-bottom: 1px solid #c9d3dd; margin-top: 3rem }
details { border: 1px solid #c9d3dd; border-radius: 4px; margin: .5rem 0; padding: .4rem .8rem }
summary { cursor: pointer }
code { font-family: ui-monospace, monospace; font-size: .92em }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700 }
.open { color: #5a6b7b; font-size: .85em }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 }
td, th { text-align: left; vertical-align: top; border-bottom: 1px solid #e3e9ef; padding: .25rem .5rem }
"""

PAGE: Final = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""

PROBLEMS_TITLE: Final = Text("Problemas", "Problems")


def reference_page(document: dict[str, Any]) -> str:
    """Return the page: operations by tag, then the schemas."""
    info = document["info"]
    groups = _operations_by_tag(document)
    schemas: dict[str, Any] = document["components"]["schemas"]
    parts = [
        f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>",
        f"<p>{escape(info.get('description', ''))}</p>",
        '<p><a href="/openapi.json">openapi.json</a> · <a href="/docs/problems">problems</a></p>',
        "<nav><ul>",
        *(f'<li><a href="#tag-{escape(tag)}">{escape(tag)}</a></li>' for tag in groups),
        '<li><a href="#schemas">schemas</a></li></ul></nav>',
    ]
    for tag, operations in groups.items():
        parts.append(f'<h2 id="tag-{escape(tag)}">{escape(tag)}</h2>')
        parts += [_operation(path, method, item) for path, method, item in operations]
    parts.append('<h2 id="schemas">schemas</h2>')
    parts += [_schema(name, schema) for name, schema in sorted(schemas.items())]
    return PAGE.format(
        language="en", title=escape(info["title"]), style=STYLE, body="\n".join(parts)
    )


def problems_page(language: Language) -> str:
    """Return the list of problem codes; a problem's `type` points into it."""
    title = PROBLEMS_TITLE.read(language)
    rows = "".join(
        f'<tr id="{escape(code)}"><td><code>{escape(code)}</code></td>'
        f"<td>{escape(text.read(language))}</td></tr>"
        for code, text in sorted(TITLES.items())
    )
    body = f"<h1>{title}</h1><table>{rows}</table>"
    return PAGE.format(language=language, title=title, style=STYLE, body=body)


def _operations_by_tag(document: dict[str, Any]) -> dict[str, list[tuple[str, str, Any]]]:
    groups: dict[str, list[tuple[str, str, Any]]] = defaultdict(list)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if isinstance(operation, dict) and "responses" in operation:
                tag = (operation.get("tags") or ["other"])[0]
                groups[tag].append((path, method, operation))
    return dict(sorted(groups.items()))


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    is_open = "" if operation.get("security") else ' <span class="open">no token</span>'
    parts = [
        f'<details id="{escape(operation.get("operationId", ""))}"><summary>',
        f'<code class="method">{method.upper()}</code> <code>{escape(path)}</code>{is_open}',
        f" {escape(operation.get('summary') or '')}</summary>",
        f"<p>{escape(operation.get('description') or '')}</p>",
    ]
    rows = "".join(_parameter(p) for p in operation.get("parameters", ()))
    if rows:
        parts.append(
            f"<table><tr><th>parameter</th><th>in</th><th>type</th><th></th></tr>{rows}</table>"
        )
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(
            f"<p>body <code>{escape(media)}</code>: {_type(content.get('schema', {}))}</p>"
        )
    responses = "".join(_response(s, r) for s, r in operation["responses"].items())
    parts.append(f"<table><tr><th>status</th><th>answer</th></tr>{responses}</table></details>")
    return "".join(parts)


def _parameter(parameter: dict[str, Any]) -> str:
    required = " *" if parameter.get("required") else ""
    return (
        f"<tr><td><code>{escape(parameter['name'])}</code>{required}</td>"
        f"<td>{escape(parameter['in'])}</td><td>{_type(parameter.get('schema', {}))}</td>"
        f"<td>{escape(parameter.get('description') or '')}</td></tr>"
    )


def _response(status: str, response: dict[str, Any]) -> str:
    if "$ref" in response:
        shown = _link("Problem")
    else:
        types = [_type(c.get("schema", {})) for c in response.get("content", {}).values()]
        shown = " or ".join(types) or escape(response.get("description", ""))
    return f"<tr><td>{escape(status)}</td><td>{shown}</td></tr>"


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code>{' *' if field in required else ''}</td>"
        f"<td>{_type(shape)}</td><td>{escape(shape.get('description') or '')}</td></tr>"
        for field, shape in schema.get("properties", {}).items()
    )
    body = f"<table>{rows}</table>" if rows else f"<p>{_type(schema)}</p>"
    description = escape(schema.get("description") or "")
    return (
        f'<details id="schema-{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"<p>{description}</p>{body}</details>"
    )


def _type(schema: dict[str, Any], depth: int = 0) -> str:
    """Return a schema in a few words, with links to named ones."""
    if "$ref" in schema:
        return _link(schema["$ref"].rpartition("/")[2])
    if depth >= DEPTH_MAX:
        return "…"
    choices = schema.get("oneOf") or schema.get("anyOf") or schema.get("allOf")
    if choices:
        return " | ".join(_type(choice, depth + 1) for choice in choices)
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if "items" in schema:
        return f"list of {_type(schema['items'], depth + 1)}"
    return escape(" ".join(_words(schema))) or "any"


def _words(schema: dict[str, Any]) -> Iterator[str]:
    kinds = schema.get("type", "any")
    yield " | ".join(kinds) if isinstance(kinds, list) else kinds
    for name in ("format", "minLength", "maxLength", "minimum", "maximum", "pattern", "default"):
        if name in schema:
            yield schema[name] if name == "format" else f"{name} {schema[name]}"


def _link(name: str) -> str:
    return f'<a href="#schema-{escape(name)}">{escape(name)}</a>'
