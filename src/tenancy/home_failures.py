"""What the driver says when a home is not there, or its server is not."""

from typing import Final

import asyncpg

NO_HOMES_YET: Final = (
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedFunctionError,
)
"""A database that was not made yet, or has not got its homes yet."""

SERVER_GONE: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What the driver says when a home's server dies, is stopped, or gives no connection: it may work again soon."""
