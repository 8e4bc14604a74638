"""Every setting of the recorder, read once from the environment: A2_RECORDER_<NAME>."""

import sys

from pydantic import Field, ValidationError
from pydantic_settings import SettingsConfigDict, SettingsError

from a2serve.contracts.database_url import DatabaseUrl
from a2serve.contracts.kafka_access import KafkaAccess
from a2serve.contracts.starting import LogLevel, settings_faults


class RecorderSettings(KafkaAccess):
    """Settings of the recorder. `python -m a2serve.recorder --help` prints them."""

    model_config = SettingsConfigDict(env_prefix="A2_RECORDER_", frozen=True)

    group: str = Field(default="a2-recorder", description="consumer group; replicas of one group share the work")
    session_timeout_ms: int = Field(default=6_000, ge=1_000, description="a recorder that is silent so long loses its partitions")
    database: DatabaseUrl = Field(default="sqlite:///recorder.sqlite", description="SQLAlchemy URL; for Postgres postgresql+psycopg://...")
    host: str = Field(default="127.0.0.1", description="address of the metrics page")
    metrics_port: int = Field(default=9465, ge=-1, le=65535, description="Prometheus port; 0 takes a free one, -1 none")
    log_level: LogLevel = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR")


def settings_or_exit() -> RecorderSettings:
    """For programs: one that ends with 1 says which setting cannot be right."""
    try:
        return RecorderSettings()
    except (ValidationError, SettingsError) as error:
        sys.exit(settings_faults(error, "A2_RECORDER_"))
