"""Redis as an operator names it: one server, Sentinels, a cluster; half an access is refused by the setting's name."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from a2serve.gateway.settings import GatewaySettings
from a2serve.gateway.state import redis_client

WRONG = [
    ({"redis_username": "a2"}, "redis_username needs redis_password"),
    ({"redis_password": "x", "redis_password_file": "/p"}, "not both"),
    ({"redis_url": "redis://:x@r:6379/0", "redis_password": "y"}, "redis_url holds a password already"),
    ({"redis_ca_file": "/ca.pem"}, "redis_ca_file is of no use without TLS: write redis_url as rediss://"),
    ({"redis_url": "rediss://r:6379", "redis_cert_file": "/c.pem"}, "redis_cert_file and redis_key_file go together"),
    ({"redis_sentinel": "m", "redis_cluster": True}, "exclude each other"),
]


@pytest.mark.parametrize(("given", "expected"), WRONG, ids=[next(iter(given)) for given, _ in WRONG])
def test_half_an_access_is_refused(given: dict[str, object], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        GatewaySettings(**given)  # type: ignore[arg-type]


def test_a_password_is_in_no_repr() -> None:
    assert "hush" not in repr(GatewaySettings(redis_password="hush"))  # type: ignore[arg-type]


def test_hosts_of_sentinels() -> None:
    hosts, said = redis_client._hosts("rediss://watcher:p%40ss@one:26379,two:26380/3")
    assert hosts == [("one", 26379), ("two", 26380)]
    assert (said["username"], said["password"], said["db"]) == ("watcher", "p@ss", 3)
    with pytest.raises(ValueError, match="scheme"):
        redis_client._hosts("http://one:1")


def test_a_password_file_is_read_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret \r\n")
    settings = GatewaySettings(redis_username="a2", redis_password_file=tmp_path / "password")
    assert settings.redis_credentials() == ("a2", "s3cret ")
