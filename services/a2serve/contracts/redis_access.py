"""How the gateway reaches Redis: one server, the primary behind Sentinels, or a cluster; by name and password, over TLS."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from a2serve.contracts.secret_file import read_secret


class RedisAccess(BaseSettings):
    """A part of a service's settings."""

    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        description="Redis or Valkey: sessions, limits, outbox; rediss:// is TLS; HOST:PORT,HOST:PORT for Sentinels or a cluster",
    )
    redis_sentinel: str = Field(
        default="", description="name of the primary that the Sentinels at redis_url watch; empty: redis_url is Redis itself"
    )
    redis_cluster: bool = Field(default=False, description="redis_url names nodes of a Redis Cluster")
    redis_username: str = Field(default="", description="our name in Redis (ACL); what stands inside redis_url is for the hosts there")
    redis_password: SecretStr = Field(default_factory=lambda: SecretStr(""), description="and its password")
    redis_password_file: Path | None = Field(
        default=None, description="file with that password, read at each new connection: a rotated one is picked up"
    )
    redis_ca_file: Path | None = Field(default=None, description="PEM of who signed its certificate; empty: those that this system trusts")
    redis_cert_file: Path | None = Field(default=None, description="PEM of our own certificate, where Redis asks for one")
    redis_key_file: Path | None = Field(default=None, description="and its private key")

    @model_validator(mode="after")
    def _redis_is_whole(self) -> "RedisAccess":
        if self.redis_sentinel and self.redis_cluster:
            raise ValueError("redis_sentinel and redis_cluster exclude each other")
        if self.redis_password.get_secret_value() and self.redis_password_file:
            raise ValueError("give redis_password or redis_password_file, not both")
        if self._redis_has_password and not self.redis_sentinel and "@" in urlsplit(self.redis_url).netloc:
            raise ValueError("redis_url holds a password already; redis_username, redis_password and redis_password_file take its place")
        if self.redis_username and not self._redis_has_password:
            raise ValueError("redis_username needs redis_password or redis_password_file")
        self._check_tls()
        return self

    def _check_tls(self) -> None:
        for name in ("redis_ca_file", "redis_cert_file", "redis_key_file"):
            if getattr(self, name) and not self.redis_url.startswith("rediss://"):
                raise ValueError(f"{name} is of no use without TLS: write redis_url as rediss://")
        if bool(self.redis_cert_file) != bool(self.redis_key_file):
            raise ValueError("redis_cert_file and redis_key_file go together")

    @property
    def _redis_has_password(self) -> bool:
        return bool(self.redis_password.get_secret_value() or self.redis_password_file)

    def redis_credentials(self) -> tuple[str, ...]:
        """(password,) or (name, password), read anew each time. Raises ValueError for a file that cannot be read."""
        password = read_secret("redis_password_file", self.redis_password, self.redis_password_file)
        return (self.redis_username, password) if self.redis_username else (password,)

    @property
    def redis_options(self) -> dict[str, Any]:
        """Keyword arguments of `redis_client.connect`, beside the URL."""
        files = {"ssl_ca_certs": self.redis_ca_file, "ssl_certfile": self.redis_cert_file, "ssl_keyfile": self.redis_key_file}
        return {
            "sentinel": self.redis_sentinel,
            "cluster": self.redis_cluster,
            "credentials": self.redis_credentials if self._redis_has_password else None,
            "tls": {name: str(path) for name, path in files.items() if path},
        }
