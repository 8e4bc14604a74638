"""A browser of this machine gets the page's secret without a key, also when a container's bridge is between."""

import ipaddress

import pytest
from starlette.requests import Request

from a2serve.contracts.problems import Problem
from a2serve.gateway.rest.secret_routes import _own_loopback_origin

BRIDGE = [ipaddress.ip_network("172.31.240.1/32")]


def asked(peer: str, host: str = "localhost:8080") -> Request:
    return Request(
        {
            "type": "http",
            "scheme": "http",
            "path": "/",
            "query_string": b"",
            "server": ("x", 1),
            "client": (peer, 4711),
            "headers": [(b"host", host.encode())],
        }
    )


def test_a_browser_behind_the_bridge_is_of_this_machine_where_that_is_said():
    assert _own_loopback_origin(asked("172.31.240.1"), BRIDGE) == "http://localhost:8080"
    assert _own_loopback_origin(asked("127.0.0.1"), []) == "http://localhost:8080"


@pytest.mark.parametrize(
    ("peer", "host", "networks"),
    [
        ("172.31.240.1", "localhost", []),
        ("172.31.240.7", "localhost", BRIDGE),
        ("172.31.240.1", "avatar.example", BRIDGE),
        ("", "localhost", BRIDGE),
    ],
)
def test_others_are_not(peer: str, host: str, networks: list):
    with pytest.raises(Problem):
        _own_loopback_origin(asked(peer, host), networks)
