"""A2LLM in five lines: load once, ask, and take text, voice and motion step by step.

    from a2llm import A2LLM
    a2 = A2LLM.load()
    for step in a2.respond("Hello"):
        play(step.pcm), show(step.motion), print(step.text)

`a2.respond_audio("question.wav")` answers what was said in a sound file.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from a2llm import weights
from a2llm.audio_codec.vocoder import Vocoder
from a2llm.components import FILES, load_adapter, load_codecs, load_talker, model_folder
from a2llm.engine import Conversation, Engine, Parts, Response, everybody
from a2llm.language.chat import find_persona
from a2llm.language.runtime import Adapter, load_backbone
from a2llm.language.spoken_text import clean_user_text
from a2llm.language.tokenizer import TextTokenizer
from a2llm.layers.threads import THREADS
from a2llm.listening.listener import Listener, ListenResult
from a2llm.listening.user_affect import STRANGER, Usual
from a2llm.messages import Affect, Persona, StepOutput
from a2llm.talker.phones import PhoneTable, load_g2p
from a2llm.talker.runtime import fast_talker


def load_parts(folder: Path | None = None, device: str = "auto", threads: int = THREADS) -> Parts:
    """Every trained part of `folder` (default: the weights that ship) and the backbone out of its package.

    Raises WeightsError or CheckpointError, each with what is missing and how to get it.
    """
    torch.set_num_threads(1)  # beside the runtimes it has crumbs to do, and its threads would spin where theirs work
    folder = folder or model_folder()
    backbone_folder = weights.convert("backbone")
    lora, alpha, head = load_adapter(folder / FILES["backbone_lora"])
    audio, motion, codecs = load_codecs(folder)
    audio.use_openvino()  # both codecs run on the CPU, whatever carries the rest
    motion.use_openvino()
    assets, talker = weights.resolve("g2p"), load_talker(folder / FILES["talker"], codecs)
    beside = max(1, threads // 2)  # speech is made while the backbone reads, and gains little from more threads
    return Parts(
        load_backbone(backbone_folder, Adapter(lora, alpha), device, threads=threads, depths=talker.config.depths),
        TextTokenizer(backbone_folder),
        head,
        fast_talker(talker, device, beside),
        audio,
        motion,
        Vocoder(audio.head_weight.numpy(), audio.head_bias.numpy(), beside, audio.config.sample_rate_hz),
        load_g2p(assets),
        PhoneTable.load(assets),
        load_g2p(assets, british=True) if talker.config.british else None,
    )


@dataclass
class A2LLM:
    """One model and one conversation. For many users at once drive the Engine itself."""

    engine: Engine
    persona: Persona
    _conversation: Conversation = field(init=False)
    _listener: Listener | None = None
    _usual: Usual = STRANGER
    heard: ListenResult | None = None
    response: Response | None = None

    def __post_init__(self) -> None:
        self.restart()

    @classmethod
    def load(cls, folder: Path | None = None, persona: str = "ada", device: str = "auto", threads: int = THREADS) -> "A2LLM":
        """Open the model (seconds). Raises ValueError for an unknown persona."""
        chosen = find_persona(persona)
        return cls(Engine(load_parts(folder, device, threads)), chosen)

    @property
    def listener(self) -> Listener:
        """The ear, loaded on first use."""
        if self._listener is None:
            self._listener = Listener()
        return self._listener

    def restart(self) -> None:
        """Forgets the conversation and begins a new one."""
        if hasattr(self, "_conversation"):
            self.engine.close_conversation(self._conversation)
        self._conversation = self.engine.open_conversation(self.persona)
        self.engine.warm_up(self._conversation)

    def respond(self, text: str, affect: Affect | None = None, seed: int = 0, voice: Affect | None = None) -> Iterator[StepOutput]:
        """Answer typed text. Raises ValueError for empty or far too long text.

        affect: what the avatar shall express instead of its own choice. voice: how the user sounded.
        """
        cleaned = clean_user_text(text)
        self.response = self.engine.open_stream(self._conversation, cleaned, voice or Affect(), seed, affect)
        return self._steps(self.response)

    def respond_audio(self, path: str | Path, affect: Affect | None = None, seed: int = 0) -> Iterator[StepOutput]:
        """Answer a sound file. Raises AudioInputError or NoSpeechError; `heard` holds what was understood."""
        self.heard = self.listener.hear_file(path, self._usual)
        self._usual = self.heard.usual
        return self.respond(self.heard.transcript.text, affect, seed, self.heard.voice.affect)

    def _steps(self, response: Response) -> Iterator[StepOutput]:
        try:
            while not response.over:
                for owner, output in self.engine.step(everybody(self.engine)):
                    if owner is response:
                        yield output
        finally:
            self.engine.cancel(response)
