"""Ports are looked up before their part listens on them: nothing of ours may take one meanwhile."""

import socket
from pathlib import Path

import pytest

from a2serve.local.ports import HOST, free_ports

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


@pytest.mark.skipif(not RANGE.exists(), reason="no such setting here")
def test_no_outgoing_connection_takes_a_port_that_was_found_free() -> None:
    first_outgoing = int(RANGE.read_text().split()[0])
    assert max(free_ports(50)) < first_outgoing


def test_a_port_in_use_is_not_offered() -> None:
    with socket.create_server((HOST, free_ports(1)[0])) as taken:
        assert taken.getsockname()[1] not in free_ports(1000)
