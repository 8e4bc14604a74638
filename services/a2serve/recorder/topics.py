"""Makes the topics of a file that are not there yet: `python -m a2serve.recorder.topics FILE`. A topic that exists is left as it is.

The file is infra/kafka/topics.yaml; compose and the chart run this as a job before anything writes.
"""

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

import yaml
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, KafkaTimeoutError
from pydantic import BaseModel, ConfigDict, Field

from a2serve.contracts.kafka_access import KafkaAccess
from a2serve.contracts.kafka_diagnosis import explain
from a2serve.recorder.settings import settings_or_exit
from a2serve.telemetry import names
from a2serve.telemetry.setup import start_logging

BROKERS_DEFAULT = -1
log = logging.getLogger(__name__)


class Topic(BaseModel):
    """One entry of the file. `config` is Kafka's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-zA-Z0-9._-]{1,249}$")
    partitions: int = Field(ge=1)
    config: dict[str, str] = {}


class Topics(BaseModel):
    """Content of the file of topics."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topics: list[Topic]


def read_topics(text: str) -> list[Topic]:
    """Raises ValueError (of pydantic) for what is no list of topics."""
    return Topics.model_validate(yaml.safe_load(text)).topics


def make_topics(access: KafkaAccess, topics: list[Topic], replication: int) -> list[str]:
    """The names of those that were made. `replication`: copies of each partition, 0 is the broker's default. Raises KafkaError."""
    admin: Any = KafkaAdminClient(**access.kafka_options, client_id="a2-topics")
    try:
        there = set(admin.list_topics())
        missing = [topic for topic in topics if topic.name not in there]
        if missing:
            copies = replication or BROKERS_DEFAULT
            admin.create_topics([NewTopic(t.name, t.partitions, copies, topic_configs=t.config) for t in missing])
        return [topic.name for topic in missing]
    finally:
        admin.close()


def main() -> None:
    """Makes the topics. Exits with 1 and a sentence if it could not; a job tries again."""
    parser = argparse.ArgumentParser("python -m a2serve.recorder.topics", description=__doc__)
    parser.add_argument("file", type=Path, help="topics.yaml")
    parser.add_argument("--replication", type=int, default=0, help="copies of each partition; 0: the broker's default")
    arguments = parser.parse_args()
    settings = settings_or_exit()
    start_logging(names.SERVICE_RECORDER, settings.log_level)
    try:
        made = make_topics(settings, read_topics(arguments.file.read_text()), arguments.replication)
    except KafkaTimeoutError as error:
        sys.exit(f"the topics cannot be made: {explain(settings)} ({error})")
    except (OSError, ValueError, KafkaError) as error:
        sys.exit(f"the topics cannot be made: {error}")
    log.info("topics made: %s", ", ".join(made) or "none, all were there")


if __name__ == "__main__":
    main()
