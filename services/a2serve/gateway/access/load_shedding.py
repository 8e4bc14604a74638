"""Load shedding: keeps a storm of requests away from a model that is full."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from a2serve.contracts.problems import Code, Problem

SHUT_S = 0.25  # a client that was refused is told to stay away longer than that


class LoadShedding:
    """Rejects a tenant's requests for a moment after the model was full for it: at once, without work for the engine. Other tenants
    still ask the model, which may keep a slot for them. `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._opens_s = clock, dict[str, float]()  # by tenant

    @contextmanager
    def admitted(self, tenant: str) -> Generator[None]:
        """Runs a block that asks the model. Raises Problem(no_capacity) before that while the model is known to be full."""
        if self._clock() < self._opens_s.get(tenant, 0.0):
            raise Problem(Code.NO_CAPACITY, "every slot speaks")
        try:
            yield
        except Problem as problem:
            if problem.code is Code.NO_CAPACITY:
                now_s = self._clock()
                self._opens_s = {name: at_s for name, at_s in self._opens_s.items() if at_s > now_s} | {tenant: now_s + SHUT_S}
            raise
