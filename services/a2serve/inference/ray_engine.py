"""The engine of one Ray replica: the Triton of its place, or one in this process. Opened, watched and closed in the same way."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from a2llm.messages import EngineDown
from a2serve.inference.engine_client import EngineClient, LocalEngine
from a2serve.inference.engine_host import EngineHost
from a2serve.inference.metrics import Metrics
from a2serve.inference.model import load_core
from a2serve.inference.settings import InferenceSettings
from a2serve.telemetry.pauses import spare_what_is_loaded


@dataclass(frozen=True)
class ReplicaEngine:
    """`check` raises EngineDown while no response could be made."""

    client: EngineClient
    check: Callable[[], Awaitable[None]]
    close: Callable[[], Awaitable[None]]


async def open_engine(settings: InferenceSettings, triton_url: str, metrics: Metrics) -> ReplicaEngine:
    """Opens an engine that is ready to respond. Raises EngineDown, or what loading raises."""
    engine = await _open_triton(triton_url) if triton_url else await _open_local(settings, metrics)
    spare_what_is_loaded()
    return engine


async def _open_triton(url: str) -> ReplicaEngine:
    from a2serve.inference.triton_engine import TritonEngine

    engine = TritonEngine(url)
    await engine.start()

    async def check() -> None:
        if not await engine.ready():
            raise EngineDown(f"Triton at {url} does not answer")

    return ReplicaEngine(engine, check, engine.close)


async def _open_local(settings: InferenceSettings, metrics: Metrics) -> ReplicaEngine:
    host = EngineHost(lambda: load_core(settings, metrics), lambda: None)
    await host.start()

    async def check() -> None:
        if host.down:
            raise EngineDown(host.down)

    return ReplicaEngine(LocalEngine(host, settings.slots, metrics), check, host.stop)
