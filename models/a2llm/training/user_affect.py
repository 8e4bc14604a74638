"""Train the user-affect head.

The labels are synthetic: plain text-to-speech was coloured by rules (data.tones.TONES) that follow the literature's averages, so the
reported accuracy says that the head undoes those rules for voices it never heard. It does not measure how well it reads people.
No recorded emotional speech was used. The split is by voice and by text.

    python -m a2llm.training.user_affect --clips DIR --report report.json
"""

import argparse
import itertools
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from a2llm.affect import AFFECTS
from a2llm.data.tones import colour, other_microphone, tone_of
from a2llm.data.user_voices import Utterance, read_plan
from a2llm.files import replacing
from a2llm.listening.features import FEATURES, prosody
from a2llm.listening.user_affect import COLOURED, DEFAULT_WEIGHTS, SURE, AffectReading, UserAffect, Usual, head_input, head_layout
from a2llm.listening.vad import SileroVad
from a2llm.sound_files import read_audio


@dataclass(frozen=True)
class HeadConfig:
    """variants: how often each clip is coloured with each affect."""

    seed: int = 0
    variants: int = 2
    width: tuple[int, int] = (64, 32)
    epochs: int = 60
    batch: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    smoothing: float = 0.05
    feature_noise: float = 0.15


@dataclass(frozen=True)
class Examples:
    """features [N, 35], usual [N, 35] (the speaker's mean of 1-3 other, neutral clips), labels [N] (index into AFFECTS), intensity [N]."""

    features: np.ndarray
    usual: np.ndarray
    labels: np.ndarray
    intensity: np.ndarray


def build_examples(clips: Path, utterances: list[Utterance], config: HeadConfig) -> Examples:
    """Colour every clip with every affect and measure it; kept beside the clips, so a second run is quick."""
    vad = SileroVad()
    parts = []
    for done, utterance in enumerate(utterances, 1):
        cache = clips / f"{utterance.name}.s{config.seed}v{config.variants}.npy"
        if not cache.exists():
            np.save(cache, _coloured_features(clips / f"{utterance.name}.wav", vad, config))
        parts.append(np.load(cache))
        print(f"\rmeasuring {done}/{len(utterances)}", end="", flush=True)
    print()
    table = np.concatenate(parts)
    usual = _usual([u.voice for u in utterances], parts, np.random.default_rng(config.seed))
    return Examples(table[:, 2:], usual, table[:, 0].astype(int), table[:, 1])


def _usual(voices: list[str], parts: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """For every row of every clip the mean over neutral rows of other clips of that voice, [N, 35]."""
    rows = []
    for index, (voice, part) in enumerate(zip(voices, parts, strict=True)):
        others = [p[p[:, 0] == 0, 2:] for j, p in enumerate(parts) if voices[j] == voice and j != index]
        pool = np.concatenate(others)
        rows += [rng.permutation(pool)[: rng.integers(1, 4)].mean(0) for _ in part]
    return np.asarray(rows, np.float32)


def _coloured_features(path: Path, vad: SileroVad, config: HeadConfig) -> np.ndarray:
    """Rows of (label, intensity, features...), [5 * variants, 2 + 35]. Seeded by the clip's name: the order does not matter."""
    rng = np.random.default_rng([config.seed, *path.stem.encode()])
    plain = read_audio(path).pcm
    rows = []
    for label in list(range(len(AFFECTS))) * config.variants:
        intensity = rng.uniform(0.45, 1.0) if label else 0.0
        heard = other_microphone(colour(plain, tone_of(AFFECTS[label], intensity, rng), rng), rng)
        rows.append([label, intensity, *prosody(speech_only(heard, vad))])
    return np.asarray(rows, np.float32)


def speech_only(pcm: np.ndarray, vad: SileroVad) -> np.ndarray:
    """Cuts a clip [S] to its first and last speech, as the listener does. Returns the whole clip if no speech is found."""
    segments = vad.speech_segments(pcm)
    return pcm[segments[0].start_samples : segments[-1].end_samples] if segments else pcm


class _Head(nn.Module):
    def __init__(self, width: tuple[int, int]) -> None:
        super().__init__()
        sizes = [2 * len(FEATURES) + 1, *width, len(AFFECTS) + 1]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # [B, N] -> [B, 6]
        for layer in self.layers[:-1]:
            x = nn.functional.dropout(torch.tanh(layer(x)), 0.15, self.training)
        return self.layers[-1](x)


def train_head(examples: Examples, config: HeadConfig) -> dict[str, np.ndarray]:
    """Fit the head, every example once as a first turn and once with the speaker known; returns the arrays that UserAffect reads."""
    torch.set_num_threads(1)
    torch.manual_seed(config.seed)
    scales = _scales(examples)
    x = torch.tensor(_inputs(scales, examples), dtype=torch.float32)  # [2 N, 71]
    labels = torch.tensor(np.tile(examples.labels, 2))
    intensity = torch.tensor(np.tile(examples.intensity, 2), dtype=torch.float32)
    head = _Head(config.width)
    optimiser = torch.optim.AdamW(head.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.epochs)
    for _ in range(config.epochs):
        for rows in torch.randperm(len(x)).split(config.batch):
            noisy = x[rows] + config.feature_noise * torch.randn(len(rows), x.shape[1]) * (x[rows] != 0)
            loss = _loss(head(noisy), labels[rows], intensity[rows], config.smoothing)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
    return scales | _arrays(head)


def _scales(examples: Examples) -> dict[str, np.ndarray]:
    spread = (examples.features - examples.usual).std(0) + 1e-3
    return {"mean": examples.features.mean(0), "std": examples.features.std(0) + 1e-3, "spread": spread}


def _inputs(scales: dict[str, np.ndarray], examples: Examples) -> np.ndarray:
    first = [head_input(scales, row, None) for row in examples.features]
    known = [head_input(scales, row, usual) for row, usual in zip(examples.features, examples.usual, strict=True)]
    return np.asarray(first + known, np.float32)


def _loss(out: torch.Tensor, labels: torch.Tensor, intensity: torch.Tensor, smoothing: float) -> torch.Tensor:
    """out [B, 6]. The intensity counts only where there is an affect."""
    sort = nn.functional.cross_entropy(out[:, :-1], labels, label_smoothing=smoothing)
    coloured = labels > 0
    level = ((torch.sigmoid(out[:, -1]) - intensity)[coloured] ** 2).mean() if coloured.any() else out.sum() * 0
    return sort + 2.0 * level


def _arrays(head: _Head) -> dict[str, np.ndarray]:
    """Weights and biases as `listening.user_affect` reads them: w0, b0, w1 ..."""
    named = ((name.split("."), value) for name, value in head.state_dict().items())  # layers.0.weight
    return {f"{kind[0]}{place}": value.numpy().copy() for (_, place, kind), value in named}


def evaluate(examples: Examples, head: UserAffect) -> dict[str, object]:
    """On voices never heard, for a first turn and for a speaker whose usual voice is known from 1-3 turns."""
    first = [head.judge(row) for row in examples.features]
    known = [head.judge(row, Usual(usual, 1.0)) for row, usual in zip(examples.features, examples.usual, strict=True)]
    shared = {"clips": len(first), "thresholds": [COLOURED, SURE], "affects": list(AFFECTS)}
    return shared | _scores(first, examples, "first_turn_") | _scores(known, examples, "known_speaker_")


def _scores(readings: list[AffectReading], examples: Examples, prefix: str) -> dict[str, object]:
    """Accuracy of the likeliest affect, and the behaviour of the answer with its fall back to neutral."""
    likeliest = np.array([reading.probabilities.argmax() for reading in readings])
    judged = np.array([reading.affect.index for reading in readings])
    confusion = np.zeros((len(AFFECTS), len(AFFECTS)), int)
    np.add.at(confusion, (examples.labels, judged), 1)
    coloured = examples.labels > 0
    right = (judged == examples.labels) & coloured
    levels = np.array([reading.affect.intensity for reading in readings])
    scores = {
        "accuracy_pct": _pct(likeliest == examples.labels),
        "neutral_kept_pct": _pct(judged[~coloured] == 0),
        "affect_found_pct": _pct(right[coloured]),
        "wrong_affect_pct": _pct((judged > 0) & (judged != examples.labels)),
        "intensity_error": round(float(np.abs(levels - examples.intensity)[right].mean()), 3) if right.any() else None,
        "confusion_truth_by_answer": confusion.tolist(),
    }
    return {prefix + name: value for name, value in scores.items()}


def _pct(hits: np.ndarray) -> float:
    return round(100 * float(hits.mean()), 1)


def save_head(arrays: dict[str, np.ndarray], path: Path, facts: dict[str, object]) -> None:
    """Write the weights with what the reader checks and what a person wants to know; whole or not at all."""
    from safetensors.numpy import save_file

    labels = "synthetic: coloured text-to-speech, no recorded emotional speech"
    metadata = {"layout": json.dumps(head_layout()), "labels": labels, "facts": json.dumps(facts)}
    with replacing(path) as temporary:
        save_file({name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}, temporary, metadata)


def run(clips: Path, out: Path = DEFAULT_WEIGHTS, config: HeadConfig = HeadConfig()) -> dict[str, object]:
    """Measure, train, save, evaluate; returns the report."""
    utterances = read_plan(clips)
    train = build_examples(clips, [u for u in utterances if u.split == "train"], config)
    test = build_examples(clips, [u for u in utterances if u.split == "test"], config)
    started = time.perf_counter()
    arrays = train_head(train, config)
    train_s = round(time.perf_counter() - started, 1)
    save_head(arrays, out, {"train_clips": len(train.labels), "seed": config.seed})
    parameters = sum(array.size for name, array in arrays.items() if name[0] in "wb")
    report = evaluate(test, UserAffect(out)) | {"train_clips": len(train.labels), "train_s": train_s, "parameters": parameters}
    save_head(arrays, out, report)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="folder made by a2llm.data.user_voices speak")
    parser.add_argument("--out", type=Path, default=DEFAULT_WEIGHTS)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    report = run(args.clips, args.out, HeadConfig(seed=args.seed))
    print(json.dumps(report, indent=1))
    if args.report:
        args.report.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
