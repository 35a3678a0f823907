"""The registry's tree is rendered as SQL and sent by `tenancy.migrations`; it never connects by itself."""

from alembic import context

if not context.is_offline_mode():
    message = (
        "the registry is migrated by `clinic migrate`, which renders this tree and sends its SQL"
    )
    raise SystemExit(message)

context.configure(
    dialect_name="postgresql",
    literal_binds=True,
    version_table=context.config.attributes.get("version_table", "alembic_version_registry"),
)
context.run_migrations()
