"""Loads what a replica runs and warms it up, so that its first response is as fast as the others."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from a2llm.affect import AFFECTS
from a2llm.api import load_parts
from a2llm.checkpoint import load_component
from a2llm.clock import EAR_RATE_HZ, FrameClock
from a2llm.components import FILES, clock_of, model_folder, voices_of
from a2llm.engine import Engine
from a2llm.language.chat import personas
from a2llm.layers.device import device_facts, pick_device
from a2llm.listening.listener import Listener
from a2llm.messages import Persona, ResponseOptions, ResponseRequest, Tool, UserTurn
from a2llm.rig import ARKIT61, FlameMapping, load_flame_mapping, retarget
from a2serve.inference.engine_core import EngineCore
from a2serve.inference.mailbox import Mailbox
from a2serve.inference.metrics import Metrics
from a2serve.inference.settings import InferenceSettings

_WARM_TEXT = "Hello there, please tell me something about yourself."
_SHORT = ResponseOptions(max_output_tokens=3)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Facts:
    """Facts about a replica's model that are known before any request."""

    revision: str
    clock: FrameClock
    context_tokens: int
    personas: dict[str, Persona]
    affects: tuple[str, ...] = AFFECTS
    voices: tuple[str, ...] = ("heart",)
    flame: FlameMapping | None = None


def read_facts(settings: InferenceSettings) -> Facts:
    """Reads the files' headers and the FLAME mapping. Raises CheckpointError or ValueError."""
    folder = settings.model_folder or model_folder()
    parts = {name: load_component(folder / file, name) for name, file in sorted(FILES.items())}
    flame = load_flame_mapping(settings.flame_mapping) if settings.flame_mapping else None
    retarget(np.zeros((1, ARKIT61.size), np.float32), "oculus15")  # loads its solver now, not in the first response
    revision = hashlib.sha256(" ".join(part.metadata["revision"] for part in parts.values()).encode()).hexdigest()[:12]
    clock, voices = clock_of(parts["audio_codec"], parts["motion_codec"]), voices_of(parts["talker"])
    return Facts(revision, clock, settings.context_tokens, personas(), voices=voices, flame=flame)


def load_core(settings: InferenceSettings, metrics: Metrics) -> EngineCore:
    """The engine, warm. Takes seconds; raises WeightsError, CheckpointError, CacheError or DeviceUnavailable."""
    device = pick_device(settings.device)
    facts = device_facts(device)
    log.info("the engine runs on %s", facts)
    metrics.show_device(asdict(facts))
    engine = Engine(load_parts(settings.model_folder, device, settings.threads), settings.slots, settings.context_tokens)
    warm_up(engine, settings)
    engine.keep_prefixes(int(settings.kept_share * settings.slots * settings.context_tokens))
    for persona in personas().values():
        engine.preload(persona.instructions)
    return EngineCore(engine, settings.pace, metrics)


def warm_up(engine: Engine, settings: InferenceSettings) -> None:
    """Speak under pressure, in one slot and in all, call a function, judge a turn: runtimes compile and allocate when they first see
    a thing."""
    fewest = min(engine.audio_levels, settings.fewest_levels)
    _say(EngineCore(engine, settings.pace, Metrics(), fewest), [_SHORT])  # its figures are not reported
    core = EngineCore(engine, settings.pace, Metrics())
    for count in sorted({1, settings.slots}):
        _say(core, [_SHORT] * count)
    _say(core, [ResponseOptions(tools=(Tool("wait"),), tool_choice="wait")])
    core.turn_end(_WARM_TEXT)


def _say(core: EngineCore, responses: Sequence[ResponseOptions]) -> None:
    """One response in each of so many sessions, at once."""
    persona, names = next(iter(personas().values())), [f"warm-up-{number}" for number in range(len(responses))]
    for name, options in zip(names, responses, strict=True):
        request = ResponseRequest(name, "warm-up", (UserTurn(_WARM_TEXT),), options, burst=True).answered_by(persona)
        core.begin(request, Mailbox(), None)
    while core.idle_s() is not None:
        core.step()
    for name in names:
        core.release(name)


def load_listener(settings: InferenceSettings) -> Listener:
    """Loads the listener and warms it up."""
    listener = Listener(threads=settings.ear_threads, workers=settings.ears)
    listener.transcriber.transcribe(np.zeros(EAR_RATE_HZ, np.float32))
    return listener
