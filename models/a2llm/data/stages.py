"""The data set's stages, each resumable and each a function of the folder and the plan:
text -> audio codec -> speech and motion -> hidden states.

A folder holds plan.json, text.jsonl, audio_codec.safetensors and shards/{speech,hidden}-*.npz. It belongs to one plan
for ever: another plan needs another folder, since shards refer to lines of the text.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from a2llm import weights
from a2llm.audio_codec.codec import AudioCodecConfig
from a2llm.components import FILES, load_adapter, model_folder, save_audio_codec
from a2llm.data.build import build_speech, fit_codec, read_samples
from a2llm.data.hidden import StateReader, build_hidden
from a2llm.data.lines import Line, Manner, plan, split_of
from a2llm.data.selection import annotated_samples, draw
from a2llm.data.teachers import ONE_VOICE
from a2llm.data.text import Sample, TextBuilder, build_text, dictionary_words, offline_samples, written_samples
from a2llm.files import replacing
from a2llm.language.runtime import Adapter, load_backbone
from a2llm.language.tokenizer import TextTokenizer
from a2llm.talker.config import MEANING_DEPTHS

OnProgress = Callable[[int, int], None]
PLAN, TEXT, SAMPLED, SHARDS = "plan.json", "text.jsonl", "sampled.jsonl", "shards"


@dataclass(frozen=True)
class DataPlan:
    """Settings of a data set.

    hours: of annotated responses, drawn so that rare functions are met, the more the greater `rarity`. plain: lines of dialogues and facts,
    written and repeated, at most. drills: lines of random dictionary words. samples: question-answer pairs sampled from the backbone.
    variants: affects each text is spoken with. voices: in the order of their indices, several for Kokoro's. varied: share
    that is spoken with another strength than usual. limit: keep only so many lines (for tests).
    codec_utterances, codec_iters: how much speech of each voice the audio codec is fitted on, and how long.
    """

    hours: float = 12.0
    rarity: float = 0.5
    plain: int = 1500
    samples: int = 0
    drills: int = 1200
    variants: int = 1
    voices: tuple[str, ...] = ONE_VOICE
    varied: float = 0.4
    seed: int = 0
    limit: int | None = None
    codec_utterances: int = 450
    codec_iters: int = 12
    codec: AudioCodecConfig = field(default_factory=AudioCodecConfig)

    def __post_init__(self) -> None:
        least = min(self.samples, self.drills, self.plain, self.hours, self.seed)
        if least < 0 or min(self.variants, len(self.voices), self.codec_utterances, self.codec_iters) < 1:
            raise ValueError("a data plan counts from 0, and has at least one variant and one voice")


def settle_plan(folder: Path, wanted: DataPlan) -> None:
    """Write the plan into a new folder. Raises ValueError when the folder was begun with another one."""
    file, settings = folder / PLAN, asdict(wanted)
    if not file.exists():
        _write(file, json.dumps(settings, indent=1) + "\n")
        return
    known, settings = json.loads(file.read_text()), json.loads(json.dumps(settings))
    if other := [name for name in settings if known.get(name) != settings[name]]:
        differences = ", ".join(f"{name} {known.get(name)} there, {settings[name]} now" for name in other)
        raise ValueError(f"{folder} was begun with other settings ({differences}): choose another folder")


def make_text(folder: Path, wanted: DataPlan, on_progress: OnProgress | None = None) -> list[dict[str, object]]:
    """Makes every question with its response: annotated, written, repeated, drilled, then sampled from the backbone."""
    file = folder / TEXT
    if not file.exists():
        annotated = draw(list(annotated_samples()), wanted.hours, wanted.rarity, wanted.seed)
        samples = annotated + offline_samples(weights.resolve("g2p"), wanted.plain, wanted.drills, wanted.seed, annotated)
        if wanted.samples:
            samples += _sample(folder, wanted, on_progress)
        if wanted.limit:
            samples = _few(samples, wanted.limit)
        _write(file, "".join(json.dumps(asdict(sample)) + "\n" for sample in samples))
    return read_samples(file)


def _few(samples: list[Sample], limit: int) -> list[Sample]:
    """Lines spread over the whole text, an eighth of them held out."""
    held_out = [s for s in samples if split_of(s.response) == "held_out"]
    train = [s for s in samples if split_of(s.response) == "train"]
    return [*train[:: max(1, len(train) // limit)][:limit], *held_out[: max(1, limit // 8)]]


def _sample(folder: Path, wanted: DataPlan, on_progress: OnProgress | None) -> list[Sample]:
    """Pairs that the backbone, with the adapter that ships, invents and answers."""
    from a2llm.language.llama import Llama
    from a2llm.layers.lora import merge_lora

    backbone = weights.convert("backbone")
    lora, alpha, head = load_adapter(model_folder() / FILES["backbone_lora"])
    model = Llama.from_folder(backbone)
    merge_lora(model, lora, alpha)
    builder = TextBuilder(model, head, TextTokenizer(backbone), wanted.seed)
    words = dictionary_words(weights.resolve("g2p"))
    count = sum(1 for _ in written_samples()) + wanted.samples
    progress = (lambda done, total, _: on_progress(done, total)) if on_progress else None
    found = build_text(builder, words, count, folder / SAMPLED, batch=min(512, 4 * wanted.samples), on_progress=progress)
    return [sample for sample in found if sample.source in ("sampled", "word")]


def lines_of(folder: Path, wanted: DataPlan) -> list[Line]:
    """Returns the lines to be spoken, each with its affects. Raises ValueError if the text stage has not run."""
    if not (folder / TEXT).exists():
        raise ValueError(f"{folder} holds no text: run `a2 data build` first")
    return plan(read_samples(folder / TEXT), Manner(wanted.variants, wanted.voices, wanted.varied), wanted.seed)


def make_codec(folder: Path, wanted: DataPlan, out: Path | None = None) -> Path:
    """Fit the audio codec on the teacher's speech of this text and write it to `out` (default: the folder's own)."""
    file = out or folder / FILES["audio_codec"]
    if not file.exists():
        lines = lines_of(folder, wanted)
        codec = fit_codec(lines, wanted.codec_utterances, wanted.voices, wanted.codec, wanted.codec_iters)
        save_audio_codec(codec, file, {"utterances": wanted.codec_utterances, "iters": wanted.codec_iters, "seed": wanted.seed})
    return file


def make_speech(folder: Path, wanted: DataPlan, workers: int, on_progress: OnProgress | None = None) -> int:
    """Speech and motion of every line in every affect; returns the number of shards."""
    lines, codec = lines_of(folder, wanted), folder / FILES["audio_codec"]
    return build_speech(lines, codec, folder / SHARDS, wanted.voices, wanted.seed, workers, on_progress)


def make_hidden(folder: Path, threads: int, on_progress: OnProgress | None = None, depths: tuple[float, ...] = MEANING_DEPTHS) -> None:
    """The backbone's states at every word of every response and of what it responds to, read as they are when serving."""
    backbone = weights.convert("backbone")
    lora, alpha, _ = load_adapter(model_folder() / FILES["backbone_lora"])
    loaded = load_backbone(backbone, Adapter(lora, alpha), threads=threads, depths=depths)
    reader = StateReader(loaded, TextTokenizer(backbone))
    build_hidden(read_samples(folder / TEXT), reader, folder / SHARDS, on_progress)


def shards_of(folder: Path) -> Path:
    """Returns the folder that holds a data set's shards."""
    return folder / SHARDS if (folder / SHARDS).is_dir() else folder


def _write(file: Path, text: str) -> None:
    with replacing(file) as temporary:
        temporary.write_text(text, encoding="utf-8")
