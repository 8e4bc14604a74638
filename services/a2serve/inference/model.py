"""Loads what a replica runs and warms it up, so that its first response is as fast as the others."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from a2llm.affect import AFFECTS
from a2llm.api import load_parts
from a2llm.checkpoint import load_component
from a2llm.clock import FrameClock
from a2llm.components import FILES, clock_of, model_folder
from a2llm.engine import Engine
from a2llm.language.chat import personas
from a2llm.layers.device import device_facts, pick_device
from a2llm.listening.audio_input import EAR_RATE_HZ
from a2llm.listening.listener import Listener
from a2llm.messages import Persona, ResponseOptions, ResponseRequest, Tool, UserTurn
from a2llm.rig import ARKIT61, FlameMapping, load_flame_mapping, retarget
from a2serve.inference.kept import Kept
from a2serve.inference.mailbox import Mailbox
from a2serve.inference.metrics import Metrics
from a2serve.inference.settings import InferenceSettings
from a2serve.inference.speaker import Speaker

_WARM_TOKENS = 3
_WARM_TEXT = "Hello there, please tell me something about yourself."
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Facts:
    """What a replica can say about its model before anything is asked of it."""

    revision: str
    clock: FrameClock
    context_tokens: int
    personas: dict[str, Persona]
    affects: tuple[str, ...] = AFFECTS
    flame: FlameMapping | None = None


def read_facts(settings: InferenceSettings) -> Facts:
    """Reads the files' headers and the FLAME mapping. Raises CheckpointError or ValueError."""
    folder = settings.model_folder or model_folder()
    parts = {name: load_component(folder / file, name) for name, file in sorted(FILES.items())}
    flame = load_flame_mapping(settings.flame_mapping) if settings.flame_mapping else None
    retarget(np.zeros((1, ARKIT61.size), np.float32), "oculus15")  # loads its solver now, not in the first response
    revision = hashlib.sha256(" ".join(part.metadata["revision"] for part in parts.values()).encode()).hexdigest()[:12]
    return Facts(revision, clock_of(parts["audio_codec"], parts["motion_codec"]), settings.context_tokens, personas(), flame=flame)


def load_speaker(settings: InferenceSettings, metrics: Metrics) -> Speaker:
    """The engine, warm. Takes seconds; raises WeightsError, CheckpointError, CacheError or DeviceUnavailable."""
    device = pick_device(settings.device)
    facts = device_facts(device)
    log.info("the engine runs on %s", facts)
    metrics.show_device(asdict(facts))
    engine = Engine(load_parts(settings.model_folder, device, settings.threads), settings.slots, settings.context_tokens)
    own = engine.sampling
    # What pressure will ask for is compiled before.
    engine.sampling = replace(own, audio_levels=min(own.audio_levels, settings.fewest_levels))
    _say(Speaker(engine, settings, Metrics()), [ResponseOptions(max_output_tokens=_WARM_TOKENS)])
    engine.sampling = own
    warm_up(Speaker(engine, settings, Metrics()), settings.slots)  # its numbers are nobody's
    return Speaker(engine, settings, metrics, _keep(engine, settings))


def _keep(engine: Engine, settings: InferenceSettings) -> Kept:
    """With the instructions of the personas that ship."""
    kept = Kept(engine, int(settings.kept_share * settings.slots * settings.context_tokens))
    for persona in personas().values():
        kept.read(engine.template.opening(persona.instructions))
    return kept


def warm_up(speaker: Speaker, slots: int) -> None:
    """Speak in one slot, then in all, call a function, judge a turn: runtimes compile and allocate when they first see a thing."""
    for count in sorted({1, slots}):
        _say(speaker, [ResponseOptions(max_output_tokens=_WARM_TOKENS)] * count)
    _say(speaker, [ResponseOptions(tools=(Tool("wait"),), tool_choice="wait")])
    speaker.turn_end(_WARM_TEXT)


def _say(speaker: Speaker, responses: Sequence[ResponseOptions]) -> None:
    persona = next(iter(personas().values()))
    for index, options in enumerate(responses):
        asked = (UserTurn(_WARM_TEXT),)
        request = ResponseRequest(f"warm-up-{index}", "warm-up", asked, options, burst=True).answered_by(persona)
        speaker.begin(request, Mailbox(), None)
    while speaker.rest_s() is not None:
        speaker.step()
    for index in range(len(responses)):
        speaker.release(f"warm-up-{index}")


def load_listener(settings: InferenceSettings) -> Listener:
    """The ear, warm."""
    listener = Listener(threads=settings.ear_threads, workers=settings.ears)
    listener.transcriber.transcribe(np.zeros(EAR_RATE_HZ, np.float32))
    return listener
