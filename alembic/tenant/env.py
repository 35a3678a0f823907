"""The tenant tree is rendered as SQL and sent to each home by `tenancy.migrations`; it never connects by itself."""

from alembic import context

if not context.is_offline_mode():
    message = "the tenant tree is run by `clinic migrate`, which sends its SQL to every home"
    raise SystemExit(message)

context.configure(
    dialect_name="postgresql",
    literal_binds=True,
    version_table=context.config.attributes.get("version_table", "alembic_version_tenant"),
)
context.run_migrations()
