"""The product's tables as Django models, made from a description in `tables.json` next to this file.

Without `tenant_id`, which a schema makes superfluous, and without what Django has no plain way to say (exclusion
constraints, triggers, checks, generated columns): the rival has less to do.
"""

import json
from pathlib import Path

from django.contrib.postgres.fields import ArrayField
from django.db import models

DESCRIPTION = json.loads(Path(__file__).with_name("tables.json").read_text(encoding="utf-8"))

FIELDS = {
    "uuid": models.UUIDField,
    "text": models.TextField,
    "integer": models.IntegerField,
    "bigint": models.BigIntegerField,
    "smallint": models.SmallIntegerField,
    "boolean": models.BooleanField,
    "timestamptz": models.DateTimeField,
    "date": models.DateField,
    "time": models.TimeField,
    "jsonb": models.JSONField,
    "bytea": models.BinaryField,
    "double": models.FloatField,
}


def model_name(table: str) -> str:
    return "".join(part.title() for part in table.split("_"))


def field_name(column: dict) -> str:
    """Foreign keys lose their `_id`, which Django adds by itself."""
    return column["name"].removesuffix("_id") if column.get("target") else column["name"]


def make_field(column: dict) -> models.Field:
    options = {"null": column["nullable"], "db_column": column["name"]}
    if column["name"] == "id":
        return models.UUIDField(primary_key=True)
    if column.get("target"):
        return models.ForeignKey(
            model_name(column["target"]),
            on_delete=models.DO_NOTHING,
            related_name="+",
            db_index=False,
            **options,
        )
    if column["type"] == "numeric":
        return models.DecimalField(max_digits=18, decimal_places=6, **options)
    if column["type"] == "text[]":
        return ArrayField(models.TextField(), **options)
    return FIELDS[column["type"]](**options)


def make_model(table: dict) -> type[models.Model]:
    names = {column["name"]: field_name(column) for column in table["columns"]}
    meta = {"db_table": table["name"], "app_label": "tables"}
    meta["constraints"] = [
        models.UniqueConstraint(fields=[names[c] for c in unique["columns"]], name=unique["name"])
        for unique in table["uniques"]
    ]
    meta["indexes"] = [
        models.Index(fields=[names[c] for c in index["columns"]], name=index["name"])
        for index in table["indexes"]
    ]
    members = {names[column["name"]]: make_field(column) for column in table["columns"]}
    members |= {"__module__": __name__, "Meta": type("Meta", (), meta)}
    return type(model_name(table["name"]), (models.Model,), members)


for _table in DESCRIPTION:
    globals()[model_name(_table["name"])] = make_model(_table)
