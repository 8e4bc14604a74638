"""Every setting of the gateway, read once from the environment: A2_GATEWAY_<NAME>."""

import os
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, IPvAnyNetwork, model_validator
from pydantic_settings import SettingsConfigDict

from a2serve.contracts.database_url import DatabaseUrl
from a2serve.contracts.kafka_access import KafkaAccess
from a2serve.contracts.redis_access import RedisAccess
from a2serve.contracts.starting import LogLevel


def default_tenants_file() -> Path:
    """`tenants.toml` under `$A2_HOME`, else in the user's configuration folder."""
    home = os.environ.get("A2_HOME")
    config = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return (Path(home) if home else Path(config) / "a2llm").expanduser() / "tenants.toml"


class GatewaySettings(RedisAccess, KafkaAccess):
    """Settings of the gateway. `python -m a2serve.gateway --help` prints them."""

    model_config = SettingsConfigDict(env_prefix="A2_GATEWAY_", frozen=True, populate_by_name=True)

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8080, ge=0, le=65535, description="HTTP port; 0 takes a free one and prints it")
    profile: Literal["server", "local"] = Field(default="server", description="local: the page needs no key (loopback only)")
    inference: str = Field(
        default="127.0.0.1:50051", description="gRPC address of inference, whose name may have many; or ipv4:HOST:PORT,HOST:PORT"
    )
    inference_application: str = Field(default="", description="application name behind a shared gRPC ingress (Ray Serve)")
    canary: str = Field(
        default="", description="the same of another version of the model, which part of the sessions ask (canary); empty: none"
    )
    canary_share: float = Field(default=0.0, ge=0, le=1, description="how much of all sessions ask the canary, 0 to 1")
    canary_tenants: list[str] = Field(default=[], description="JSON list of tenants all of whose sessions ask the canary")
    usage_database: DatabaseUrl = Field(default="", description="SQLAlchemy URL of the recorder's database; empty: no usage")
    transcript_database: DatabaseUrl = Field(
        default="", description="the same database, as a role that may write `transcripts` and `erased`; empty: no tenant's words are kept"
    )
    tenants_file: Path = Field(
        default_factory=default_tenants_file,
        validation_alias=AliasChoices("A2_TENANTS_FILE", "A2_GATEWAY_TENANTS_FILE"),
        description="tenants and hashed keys (A2_TENANTS_FILE; default: tenants.toml under A2_HOME)",
    )
    local_networks: list[IPvAnyNetwork] = Field(
        default=[], description="JSON list of networks that count as this machine in profile local: a bridge of containers"
    )
    local_tenant: str = Field(default="dev", description="tenant of the page in the local profile")
    language_model_hosts: list[str] = Field(
        default=[], description="JSON list of hosts (or *.example.com) that personas' language models may be at; empty: none"
    )
    language_model_networks: list[IPvAnyNetwork] = Field(
        default=[], description="JSON list of private networks that such a host may lie in, also without TLS; empty: public addresses alone"
    )
    language_model_secrets: Path | None = Field(
        default=None, description="folder with their keys: <tenant>.<key_secret>, or _.<key_secret> for every tenant"
    )
    language_model_variables: list[str] = Field(
        default=[], description="JSON list of environment variables that a key_secret of any tenant may name"
    )
    web_folder: Path | None = Field(default=None, description="built page, served at /; empty: none")
    avatars_folder: Path | None = Field(default=None, description="heads (*.glb), served at /avatars")
    cors_origins: list[str] = Field(default=[], description="JSON list of origins whose pages may call /v1 from a browser")
    otlp_endpoint: str = Field(default="", description="OTLP/HTTP base URL: our traces, and those of pages through POST /v1/traces")
    otlp_ca_file: Path | None = Field(default=None, description="PEM of who signed its certificate; empty: those that this system trusts")
    body_limit_bytes: int = Field(default=12 << 20, ge=1024, description="largest request body")
    head_limit_bytes: int = Field(default=32 << 10, ge=1024, description="largest request line and headers (431)")
    url_limit_bytes: int = Field(default=8 << 10, ge=256, description="longest URL (414)")
    header_timeout_s: float = Field(default=10.0, gt=0, description="longest that request line and headers may take to come (408)")
    body_pause_s: float = Field(default=10.0, gt=0, description="longest pause between two pieces of a body (408)")
    body_timeout_s: float = Field(default=60.0, gt=0, description="longest that a whole body may take to come (408)")
    send_timeout_s: float = Field(default=20.0, gt=0, description="a client that does not read its REST answer for so long is cut off")
    max_connections: int = Field(default=5000, ge=1, description="connections of this replica, sockets among them; more get 503")
    max_connections_per_address: int = Field(
        default=0, ge=0, description="the same of one address (0: no bound, as behind a load balancer, which is one address)"
    )
    session_ttl_s: int = Field(default=3600, ge=60, description="a session nobody uses is forgotten after this long")
    spool_folder: Path | None = Field(
        default=None, description="what Redis does not take waits here; empty: a2-spool in the system's folder for temporary files"
    )
    spool_bytes: int = Field(default=64 << 20, ge=0, description="largest spool of a process; what does not fit is lost and counted")
    conversation_items: int = Field(default=1000, ge=2, le=1000, description="most items of a conversation; more are refused (422)")
    conversation_bytes: int = Field(default=16 << 20, ge=1 << 10, description="most bytes of a conversation's text; more are refused (422)")
    lost_after_s: float = Field(
        default=30.0, ge=2, description="a gateway that says nothing for so long is lost; another one settles for its sockets"
    )
    session_max_s: int = Field(default=3600, ge=60, description="a socket is closed after this long; the client may resume")
    secret_expiry_closes: bool = Field(default=False, description="a socket is closed when the client secret that opened it expires")
    request_timeout_s: float = Field(default=120.0, ge=1, description="longest a REST turn may take")
    drain_s: float = Field(default=20.0, ge=0, description="after SIGTERM, how long live sessions may take to leave, and turns to end")
    log_level: LogLevel = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR")

    @model_validator(mode="after")
    def _canary_is_somewhere(self) -> "GatewaySettings":
        if (self.canary_share or self.canary_tenants) and not self.canary:
            raise ValueError("canary_share and canary_tenants need canary, the address of the other version")
        return self
