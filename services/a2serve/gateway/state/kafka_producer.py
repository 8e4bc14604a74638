"""kafka-python as the outbox sender's `Producer`: idempotent, acknowledged by all replicas, in order per key."""

import socket
from contextlib import suppress
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from a2serve.contracts.kafka_access import KafkaAccess
from a2serve.contracts.kafka_diagnosis import explain

DELIVERY_TIMEOUT_MS = 8_000
CLOSE_S = 2.0


class IdempotentProducer:
    """Connects when made. Raises OSError, as `deliver` does, when the broker cannot be reached."""

    def __init__(self, access: KafkaAccess) -> None:
        _reach(access.kafka_servers)
        try:
            self._producer = KafkaProducer(
                **access.kafka_options,
                client_id="a2-gateway",
                enable_idempotence=True,
                acks="all",
                linger_ms=2,
                delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
                request_timeout_ms=4_000,
                max_block_ms=4_000,
                reconnect_backoff_max_ms=1_000,
            )
        except (KafkaError, ValueError) as error:
            raise ConnectionError(f"the broker cannot be used: {explain(access)} ({error})") from None

    def deliver(self, messages: list[tuple[str, bytes, bytes]]) -> None:
        """Returns when the broker acknowledged all of them. Raises ConnectionError if it does not."""
        try:
            sent: list[Any] = [self._producer.send(topic, key=key, value=value) for topic, key, value in messages]
            self._producer.flush(timeout=DELIVERY_TIMEOUT_MS / 1000)
            for future in sent:
                future.get(timeout=0.1)
        except KafkaError as error:
            raise ConnectionError(str(error)) from None

    def close(self) -> None:
        """Closes at once: unacknowledged messages stay in the outbox, so there is nothing to wait for.

        kafka-python raises where messages still wait, before it ends its thread: then they are thrown away first.
        """
        try:
            self._producer.close(timeout=0)
        except KafkaError:
            sender: Any = getattr(self._producer, "_sender")  # noqa: B009 (its types do not know it)
            sender.force_close()
            sender.join(CLOSE_S)
            with suppress(KafkaError):
                self._producer.close(timeout=0)


def _reach(servers: str) -> None:
    """kafka-python tries for half a minute; whether anybody listens is known at once."""
    for server in servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=1.0).close()
            return
        except OSError:
            continue
    raise ConnectionError(f"no broker at {servers}")
