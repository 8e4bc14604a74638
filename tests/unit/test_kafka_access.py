"""The broker's access as an operator writes it."""

import socket
from pathlib import Path

import pytest
from kafka import KafkaConsumer
from pydantic import ValidationError

from a2serve.contracts.kafka_diagnosis import explain
from a2serve.gateway.settings import GatewaySettings
from a2serve.recorder.settings import RecorderSettings


def test_plain_by_default(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("A2_GATEWAY_KAFKA_SERVERS", "one:9092,two:9092")
    expected = {"bootstrap_servers": ["one:9092", "two:9092"], "security_protocol": "PLAINTEXT", "bootstrap_timeout_ms": 10_000}
    assert GatewaySettings().kafka_options == expected


def test_tls_and_a_password(monkeypatch: pytest.MonkeyPatch):
    given = {"SERVERS": "b:9096", "TLS": "true", "CA_FILE": "/ca.pem", "MECHANISM": "SCRAM-SHA-512", "USERNAME": "a2", "PASSWORD": "secret"}
    for name, value in given.items():
        monkeypatch.setenv(f"A2_RECORDER_KAFKA_{name}", value)
    settings = RecorderSettings()
    assert "secret" not in repr(settings)
    assert settings.kafka_options == {
        "bootstrap_servers": ["b:9096"],
        "security_protocol": "SASL_SSL",
        "bootstrap_timeout_ms": 10_000,
        "ssl_cafile": "/ca.pem",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "a2",
        "sasl_plain_password": "secret",
    }
    assert settings.kafka_options.keys() <= KafkaConsumer.DEFAULT_CONFIG.keys()


HALVES = [
    {"kafka_mechanism": "PLAIN"},
    {"kafka_username": "a2"},
    {"kafka_ca_file": "/ca.pem"},
    {"kafka_mechanism": "MD5"},
    {"kafka_tls": "true", "kafka_cert_file": "/c.pem"},
    {"kafka_password": "x", "kafka_password_file": "/p"},
]


@pytest.mark.parametrize("given", HALVES)
def test_half_an_access_is_refused(given: dict[str, str]):
    with pytest.raises(ValidationError):
        RecorderSettings(**given)


def test_a_password_file_is_read_each_time(tmp_path: Path):
    file = tmp_path / "password"
    settings = RecorderSettings(kafka_mechanism="PLAIN", kafka_username="a2", kafka_password_file=file)
    for password in ("first", "second"):
        file.write_text(f"{password}\n")
        assert settings.kafka_options["sasl_plain_password"] == password
    file.unlink()
    with pytest.raises(ValueError, match=r"kafka_password_file: .* cannot be read"):
        _ = settings.kafka_options


def test_a_server_that_is_no_broker_is_told():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert explain(RecorderSettings(kafka_servers=f"127.0.0.1:{port}")).startswith(f"nobody listens at 127.0.0.1:{port}")
    assert explain(RecorderSettings(kafka_servers="nonsense")).startswith("nobody listens at nonsense")
