"""What is asked of the system for connections to other machines; what a mover does then is in `test_traps_partition.py`."""

import os
import socket

from second_server import SecondServer
from tenancy.credentials import DatabaseRole
from tenancy.runtime import Tenancy
from tenancy.silence import PROBE_AFTER_S, SILENCE_S_MAX


async def test_a_connection_to_another_machine_has_the_limits_of_silence_set(
    tenancy: Tenancy, elsewhere: SecondServer
) -> None:
    connection = await tenancy.pools.connect(
        elsewhere.address.name, tenancy.options.pool_database, DatabaseRole.MOVER
    )
    try:
        found = connection._transport.get_extra_info("socket")
        with socket.socket(fileno=os.dup(found.fileno())) as own:
            assert own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                tcp = socket.IPPROTO_TCP
                assert own.getsockopt(tcp, socket.TCP_KEEPIDLE) == PROBE_AFTER_S
                assert own.getsockopt(tcp, socket.TCP_USER_TIMEOUT) == SILENCE_S_MAX * 1000
        assert await connection.fetchval("SELECT 1") == 1
    finally:
        await connection.close()
