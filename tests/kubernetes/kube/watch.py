"""Looks ten times a second and keeps the least and the most that it saw: what was so only for a moment counts as well."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

from kube import look
from kube.api import Refused
from kube.release import Release

PERIOD_S = 0.1
STOP_S = 30.0


class Watch:
    """Watches one number. `least` raises AssertionError before anything was seen."""

    def __init__(self, count: Callable[[], int]) -> None:
        self.seen: list[int] = []
        self._count, self._stop = count, threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(STOP_S)

    @property
    def least(self) -> int:
        assert self.seen, "nothing was seen"
        return min(self.seen)

    def ratio(self, before: int) -> float:
        """The least that was seen, to what there was before."""
        return round(self.least / before, 3)

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_S):
            try:
                self.seen.append(self._count())
            except (Refused, httpx.TransportError) as error:  # nothing was seen this time
                print("watch:", error, flush=True)


@contextmanager
def watching(count: Callable[[], int]) -> Iterator[Watch]:
    watch = Watch(count)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()


def asked(found: Release) -> str:
    """The Service that gateways ask."""
    env = found.deployment("gateway")["spec"]["template"]["spec"]["containers"][0]["env"]
    return next(each["value"] for each in env if each["name"] == "A2_GATEWAY_INFERENCE").partition(":")[0].partition(".")[0]


def reached(found: Release) -> int:
    """Workers that gateways find: ready, and behind the Service that they ask."""
    return len(look.endpoints(found.api, found.namespace, asked(found)))


def gateways(found: Release) -> int:
    """Those that are ready and not on their way out."""
    return len(look.ready(found.pods("gateway")))
