"""How gateway and recorder reach the broker: the same settings under each one's prefix, and what kafka-python makes of them."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings


class KafkaAccess(BaseSettings):
    """A part of a service's settings."""

    kafka_servers: str = Field(default="127.0.0.1:9092", description="bootstrap servers of the broker, separated by commas")
    kafka_tls: bool = Field(default=False, description="speak TLS to the broker; its certificate has to name the server")
    kafka_ca_file: Path | None = Field(default=None, description="PEM of who signed it; empty: those that this system trusts")
    kafka_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="", description="how the broker is told who we are (SASL); empty: it does not ask"
    )
    kafka_username: str = Field(default="", description="our name there")
    kafka_password: SecretStr = Field(default_factory=lambda: SecretStr(""), description="and its password")

    @model_validator(mode="after")
    def _is_whole(self) -> "KafkaAccess":
        if bool(self.kafka_mechanism) != bool(self.kafka_username):
            raise ValueError("kafka_mechanism and kafka_username go together")
        if self.kafka_ca_file and not self.kafka_tls:
            raise ValueError("kafka_ca_file is of no use without kafka_tls")
        return self

    @property
    def kafka_options(self) -> dict[str, Any]:
        """Keyword arguments of every kafka-python client."""
        tls, sasl = "SSL" if self.kafka_tls else "PLAINTEXT", bool(self.kafka_mechanism)
        options: dict[str, Any] = {"bootstrap_servers": self.kafka_servers.split(","), "security_protocol": f"SASL_{tls}" if sasl else tls}
        if self.kafka_ca_file:
            options["ssl_cafile"] = str(self.kafka_ca_file)
        if sasl:
            password = self.kafka_password.get_secret_value()
            options |= {"sasl_mechanism": self.kafka_mechanism, "sasl_plain_username": self.kafka_username, "sasl_plain_password": password}
        return options
