"""The broker's access as an operator writes it."""

import pytest
from kafka import KafkaConsumer
from pydantic import ValidationError

from a2serve.gateway.settings import GatewaySettings
from a2serve.recorder.settings import RecorderSettings


def test_plain_by_default(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("A2_GATEWAY_KAFKA_SERVERS", "one:9092,two:9092")
    assert GatewaySettings().kafka_options == {"bootstrap_servers": ["one:9092", "two:9092"], "security_protocol": "PLAINTEXT"}


def test_tls_and_a_password(monkeypatch: pytest.MonkeyPatch):
    given = {"SERVERS": "b:9096", "TLS": "true", "CA_FILE": "/ca.pem", "MECHANISM": "SCRAM-SHA-512", "USERNAME": "a2", "PASSWORD": "secret"}
    for name, value in given.items():
        monkeypatch.setenv(f"A2_RECORDER_KAFKA_{name}", value)
    settings = RecorderSettings()
    assert "secret" not in repr(settings)
    assert settings.kafka_options == {
        "bootstrap_servers": ["b:9096"], "security_protocol": "SASL_SSL", "ssl_cafile": "/ca.pem", "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "a2", "sasl_plain_password": "secret"}  # fmt: skip
    assert settings.kafka_options.keys() <= KafkaConsumer.DEFAULT_CONFIG.keys()


HALVES = [{"kafka_mechanism": "PLAIN"}, {"kafka_username": "a2"}, {"kafka_ca_file": "/ca.pem"}, {"kafka_mechanism": "MD5"}]


@pytest.mark.parametrize("given", HALVES)
def test_half_an_access_is_refused(given: dict[str, str]):
    with pytest.raises(ValidationError):
        RecorderSettings(**given)
