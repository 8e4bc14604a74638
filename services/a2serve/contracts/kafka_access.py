"""Access of gateway and recorder to the broker: the same settings under each one's prefix, and what kafka-python makes of them."""

import ssl
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from a2serve.contracts.secret_file import read_secret

BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)  # waits between tries while the broker cannot be reached; the last one repeats
BOOTSTRAP_MS = 10_000  # kafka-python tries for half a minute before it says that it could not


class KafkaAccess(BaseSettings):
    """A part of a service's settings."""

    kafka_servers: str = Field(default="127.0.0.1:9092", description="bootstrap servers of the broker, separated by commas")
    kafka_tls: bool = Field(default=False, description="speak TLS to the broker; its certificate has to name the server")
    kafka_ca_file: Path | None = Field(default=None, description="PEM of who signed it; empty: those that this system trusts")
    kafka_cert_file: Path | None = Field(default=None, description="PEM of our own certificate, where the broker asks for one")
    kafka_key_file: Path | None = Field(default=None, description="and its private key")
    kafka_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="", description="how the broker is told who we are (SASL); empty: it does not ask"
    )
    kafka_username: str = Field(default="", description="our name there")
    kafka_password: SecretStr = Field(default_factory=lambda: SecretStr(""), description="and its password")
    kafka_password_file: Path | None = Field(
        default=None, description="file with that password, read at each new connection: a rotated one is picked up"
    )

    @model_validator(mode="after")
    def _is_whole(self) -> "KafkaAccess":
        if bool(self.kafka_mechanism) != bool(self.kafka_username):
            raise ValueError("kafka_mechanism and kafka_username go together")
        if self.kafka_password.get_secret_value() and self.kafka_password_file:
            raise ValueError("give kafka_password or kafka_password_file, not both")
        for name in ("kafka_ca_file", "kafka_cert_file", "kafka_key_file"):
            if getattr(self, name) and not self.kafka_tls:
                raise ValueError(f"{name} is of no use without kafka_tls")
        if bool(self.kafka_cert_file) != bool(self.kafka_key_file):
            raise ValueError("kafka_cert_file and kafka_key_file go together")
        return self

    @property
    def kafka_options(self) -> dict[str, Any]:
        """Keyword arguments of every kafka-python client. Raises ValueError for a password file that cannot be read."""
        tls, sasl = "SSL" if self.kafka_tls else "PLAINTEXT", bool(self.kafka_mechanism)
        options: dict[str, Any] = {"bootstrap_servers": self.kafka_servers.split(","), "security_protocol": f"SASL_{tls}" if sasl else tls}
        options["bootstrap_timeout_ms"] = BOOTSTRAP_MS
        files = {"ssl_cafile": self.kafka_ca_file, "ssl_certfile": self.kafka_cert_file, "ssl_keyfile": self.kafka_key_file}
        options |= {name: str(path) for name, path in files.items() if path}
        if sasl:
            password = read_secret("kafka_password_file", self.kafka_password, self.kafka_password_file)
            options |= {"sasl_mechanism": self.kafka_mechanism, "sasl_plain_username": self.kafka_username, "sasl_plain_password": password}
        return options

    def tls_context(self) -> ssl.SSLContext:
        """Makes a TLS context as kafka-python makes its own."""
        context = ssl.create_default_context(cafile=self.kafka_ca_file)
        if self.kafka_cert_file:
            context.load_cert_chain(self.kafka_cert_file, self.kafka_key_file)
        return context
