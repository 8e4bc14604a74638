"""Stage 1: talker and Motion Connector on the frozen backbone.

Cross-entropy over every level of audio and motion codes, plus the predicted residual, plus what the connector says its words do and
feel like, so that it looks for that; history frames
are truncated, noised, dropped and, later on, replaced by what the model itself would have sampled, so
that it is robust to its own output (docs/talker.md has the measured recipe this grew from).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from a2llm.components import FILES, load_codecs, save_talker
from a2llm.layers.quantize import residual_encode
from a2llm.talker.config import SamplingConfig, TalkerConfig
from a2llm.talker.connector import Meaning
from a2llm.talker.model import FrameBatch, Talker, ahead, shift
from a2llm.training.distributed import ALONE, World
from a2llm.training.loop import LoopConfig, Progress, TrainingRun
from a2llm.training.talker_data import Dropout, TalkerBatch, TalkerData


@dataclass(frozen=True)
class TalkerTraining:
    """Complete configuration of stage 1. Shares are per row, per frame or per batch as said."""

    model: TalkerConfig = field(default_factory=TalkerConfig)
    only_motion: bool = False  # of a talker that sees only the sound: it learns the motion alone
    rows: int = 8
    frames: int = 192
    audio_weights: tuple[float, ...] = (1.0, 1.0, 1.0, 0.8, 0.8, 0.6, 0.6, 0.6)
    motion_weight: float = 0.35
    duration_weight: float = 0.5
    residual_l1: float = 4.0
    coarse_l1: float = 2.0
    coarse_l2: float = 0.5
    function_weight: float = 0.5
    affect_weight: float = 0.5
    state_dropout: float = 0.15  # of rows: the talker must also read text that no backbone wrote
    first_state_dropout: float = 0.03  # while the connector finds its way
    state_dropout_from: float = 0.15  # share of training after which `state_dropout` holds
    affect_dropout: float = 0.8  # of rows whose affect is what the words mean: it has to be inferred
    truncated: float = 0.2  # of history frames: fewer levels
    noisy_rows: float = 0.6
    noise: float = 0.7  # upper bound, in standard deviations
    dropped: float = 0.05  # of audio history frames
    motion_dropped: float = 0.15
    motion_noise: float = 0.2
    own_history_from: float = 0.4  # share of training after which own samples are mixed in
    own_history: float = 0.35  # of batches
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(steps=6000, peak_lr=1.2e-3, warmup_steps=150))

    def dropout(self, batch: int) -> Dropout:
        """Shares of the rows that lose their states or their affect in batch number `batch`."""
        early = batch < self.state_dropout_from * self.loop.steps
        return Dropout(self.first_state_dropout if early else self.state_dropout, self.affect_dropout)


class TalkerLoss(nn.Module):
    """The talker with its losses; `progress` 0..1 drives the schedule of the own history."""

    def __init__(self, talker: Talker, config: TalkerTraining, generator: torch.Generator) -> None:
        super().__init__()
        self.talker, self.config, self.generator = talker, config, generator

    def seed(self, number: int) -> None:
        """Makes everything random in the next step follow from its number, so that a run that was interrupted goes on as it would have."""
        seed = self.config.loop.seed * 1_000_003 + number
        torch.manual_seed(seed)
        self.generator.manual_seed(seed)

    def _draw(self, *shape: int) -> Tensor:
        device = self.talker.audio_codebooks.device
        return torch.rand(*shape, generator=self.generator, device=device)

    def forward(self, batch: TalkerBatch, progress: float) -> dict[str, Tensor]:
        """Computes the losses of one batch, scalars by name; `total` is the one to minimise."""
        talker, c = self.talker, self.config
        books = talker.audio_codebooks
        meaning, said = self._meaning(batch)
        frames = frames_of(batch, meaning)
        with torch.no_grad():
            codes = residual_encode(batch.audio, books)  # [B, K, T]
            partial = partial_sums(codes, books)
            motion = partial_sums(batch.motion_codes, talker.motion_codebooks)
            noisy = self._noisy_audio(partial)
            past_audio = ahead(noisy) if talker.config.only_sound else shift(noisy)
            past_motion = shift(self._noisy_motion(motion[-1]))
            if progress > c.own_history_from and float(self._draw(1)) < c.own_history:
                past_audio, past_motion = self._sample_history(frames, past_audio, past_motion)
        x = talker.trunk(talker.condition(frames, past_audio, past_motion))
        keep = batch.mask.bool()
        context = torch.cat((x[keep], self._noisy(partial[-1][keep], 0.1)), dim=-1)
        logits, _ = talker.motion_head(context, motion[:, keep])
        moves = sum_cross_entropy(logits, batch.motion_codes.transpose(0, 1)[:, keep])
        losses = {"motion": moves / len(logits), "total": c.motion_weight * moves}
        if not c.only_motion:
            losses |= self._audio(x[keep], partial[:, keep], codes.transpose(0, 1)[:, keep], batch.audio[keep])
            losses |= self._timing(batch, meaning)
            losses["total"] = losses["total"] + losses["audio"] + losses["residual"] + c.duration_weight * losses["duration"]
        if said is not None:
            losses |= self._labels(batch, said)
            losses["total"] = losses["total"] + c.function_weight * losses["functions"] + c.affect_weight * losses["affects"]
        return losses

    def _meaning(self, batch: TalkerBatch) -> tuple[Tensor, Meaning | None]:
        """Meaning [B, W + 1, D] of every word, the last place that of none, and what the connector says of the words."""
        connector = self.talker.connector
        said = None if connector is None else connector(batch.states, batch.user)
        meaning = batch.states if said is None else said.meaning
        return F.pad(meaning, (0, 0, 0, 1)), said

    def _timing(self, batch: TalkerBatch, meaning: Tensor) -> dict[str, Tensor]:
        rows, words = batch.duration_words.unbind(1)
        timing = self.talker.durations(batch.duration_phones, batch.duration_past, batch.duration_style, meaning[rows, words])
        right = (timing.argmax(-1) == batch.durations).float().mean()
        return {"duration": F.cross_entropy(timing, batch.durations), "duration_accuracy": right.detach()}

    def _labels(self, batch: TalkerBatch, said: Meaning) -> dict[str, Tensor]:
        """How far the connector says of its words what they do and feel like; rows without that knowledge do not count."""
        does, feels = batch.labelled.unbind(-1)
        functions = F.binary_cross_entropy_with_logits(said.functions, batch.functions, reduction="none").sum(-1)
        affects = -(batch.affects * said.affects.log_softmax(-1)).sum(-1)
        return {
            "functions": (functions * does).sum() / does.sum().clamp(min=1.0),
            "affects": (affects * feels).sum() / feels.sum().clamp(min=1.0),
        }

    def _audio(self, x: Tensor, partial: Tensor, codes: Tensor, truth: Tensor) -> dict[str, Tensor]:
        c = self.config
        logits, remains = self.talker.audio_head(x, partial)
        audio = sum_cross_entropy(logits, codes, c.audio_weights)
        errors = [truth - p - r for p, r in zip(partial, remains, strict=True)]
        l1 = torch.stack([e.abs().mean() for e in errors])
        residual = c.residual_l1 * l1.mean() + c.coarse_l1 * l1[0] + c.coarse_l2 * errors[0].square().mean()
        return {"audio": audio, "residual": residual, "coarse_l1": l1[0].detach()}

    def _noisy_audio(self, partial: Tensor) -> Tensor:
        """Adds input noise to the audio history, so that it looks as it may at run time: partial [K + 1, B, T, D] -> [B, T, D].

        Some frames lose residual levels, most rows carry noise, some frames are dropped.
        """
        c = self.config
        batch, frames = partial.shape[1:3]
        levels = torch.where(
            self._draw(batch, frames) < c.truncated, 1 + (self._draw(batch, frames) * (len(partial) - 2)).long(), len(partial) - 1
        )
        audio = partial.gather(0, levels[None, ..., None].expand(1, *partial.shape[1:]))[0]
        noisy = (self._draw(batch, 1, 1) < c.noisy_rows) * self._draw(batch, 1, 1) * c.noise
        audio = self._noisy(audio, noisy)
        return audio * (self._draw(batch, frames, 1) >= c.dropped)

    def _noisy(self, x: Tensor, level: Tensor | float) -> Tensor:
        noise = torch.randn(x.shape, generator=self.generator, device=x.device)
        return x + noise * level * x.std()

    def _noisy_motion(self, motion: Tensor) -> Tensor:
        keep = self._draw(*motion.shape[:2], 1) >= self.config.motion_dropped
        return self._noisy(motion, self.config.motion_noise) * keep

    def _sample_history(self, frames: FrameBatch, audio: Tensor, motion: Tensor) -> tuple[Tensor, Tensor]:
        """Scheduled sampling (Bengio et al. 2015): half of the history is replaced by what the model itself samples there."""
        talker = self.talker
        x = talker.trunk(talker.condition(frames, audio, motion)).flatten(0, 1)
        draws = self._draw(x.shape[0], talker.config.audio_levels + talker.config.motion_levels)
        split, sampling = talker.config.audio_levels, SamplingConfig()
        temperatures = [max(sampling.audio_temperature)] * split
        _, own_audio = talker.audio_head.sample(x, talker.audio_codebooks, draws[:, :split], temperatures, sampling.min_p, split)
        _, own_motion = talker.motion_head.sample(
            torch.cat((x, own_audio), -1),
            talker.motion_codebooks,
            draws[:, split:],
            [sampling.motion_temperature] * talker.config.motion_levels,
            sampling.motion_min_p,
            talker.config.motion_levels,
        )
        swap = self._draw(*audio.shape[:2], 1) < 0.5
        heard = audio if talker.config.only_sound else torch.where(swap, shift(own_audio.view_as(audio)), audio)
        return (heard, torch.where(swap, shift(own_motion.view_as(motion)), motion))


def frames_of(batch: TalkerBatch, meaning: Tensor) -> FrameBatch:
    """Conditioning of whole rows; meaning [B, W + 1, D] of every word, the last place that of none."""
    rows = torch.arange(len(meaning), device=meaning.device)[:, None]
    return FrameBatch(batch.phones, batch.counts, meaning[rows, batch.words], batch.style)


def partial_sums(codes: Tensor, codebooks: Tensor) -> Tensor:
    """Sums of the first 0..K levels: codes [B, K, T], codebooks [K, V, D] -> [K + 1, B, T, D]."""
    vectors = torch.stack([book[level] for book, level in zip(codebooks, codes.unbind(1), strict=True)])
    return torch.cat((torch.zeros_like(vectors[:1]), vectors.cumsum(0)))


def sum_cross_entropy(logits: list[Tensor], codes: Tensor, weights: tuple[float, ...] | None = None) -> Tensor:
    """Weighted sum over levels: logits K x [N, V], codes [K, N]."""
    each = [F.cross_entropy(level, codes[k]) * (weights[k] if weights else 1.0) for k, level in enumerate(logits)]
    return torch.stack(each).sum()


def fit_to_codecs(config: TalkerConfig, audio_codebooks: Tensor, motion_codebooks: Tensor) -> TalkerConfig:
    """The configuration with the sizes of the codecs' codebooks [K, V, D]."""
    levels, size, latent = audio_codebooks.shape
    motion_levels, motion_size, motion_latent = motion_codebooks.shape
    return replace(
        config,
        audio_levels=levels,
        audio_size=size,
        audio_latent=latent,
        motion_levels=motion_levels,
        motion_size=motion_size,
        motion_latent=motion_latent,
    )


def new_talker(config: TalkerConfig, audio_codebooks: Tensor, motion_codebooks: Tensor, seed: int) -> Talker:
    """An untrained talker that holds the codecs' codebooks [K, V, D]."""
    torch.manual_seed(seed)
    talker = Talker(fit_to_codecs(config, audio_codebooks, motion_codebooks))
    talker.audio_codebooks.copy_(audio_codebooks)
    talker.motion_codebooks.copy_(motion_codebooks)
    return talker


@torch.no_grad()
def evaluate_talker(loss: TalkerLoss, data: TalkerData, batches: int) -> dict[str, float]:
    """Mean losses over a few held-out batches."""
    loss.eval()
    loss.seed(0)
    stream = data.batches(loss.config.rows, 7, lambda _: Dropout(affect=loss.config.affect_dropout))
    found = [{k: float(v) for k, v in loss(next(stream), 0.0).items()} for _ in range(batches)]
    loss.train()
    return {f"held_out_{k}": sum(f[k] for f in found) / len(found) for k in found[0]}


def train_talker(
    data: Path,
    codecs: Path,
    out: Path,
    config: TalkerTraining,
    device: str = "cpu",
    on_progress: Progress | None = None,
    together: World = ALONE,
) -> dict[str, float]:
    """Train on the shards in `data` with the codecs in `codecs`; writes `out`/talker.safetensors at every checkpoint and at the end, and
    returns held-out losses, in the leader of several processes. Raises ValueError for data whose states the talker does not read."""
    audio, motion, requires = load_codecs(codecs)
    talker = new_talker(config.model, audio.codebooks, motion.quantizer.codebooks, config.loop.seed)
    splits = TalkerData.load(data, motion, config.frames, talker.config)
    if talker.connector is not None:
        mean, scale = splits["train"].state_spread()
        talker.connector.mean.copy_(mean)
        talker.connector.scale.copy_(scale)
    loss = TalkerLoss(talker.to(device), config, torch.Generator(device))
    run = TrainingRun("talker", loss, config.loop, out, on_progress, world=together)
    run.on_save = lambda: save_talker(talker, out / FILES["talker"], _facts(run, config, requires, {}))
    share = together.rank, together.size
    stream = splits["train"].batches(config.rows, config.loop.seed, config.dropout, run.step_index, share)
    shared = together.wrap(loss)

    def step(index: int) -> tuple[Tensor, dict[str, Tensor]]:
        loss.seed(index * together.size + together.rank)
        losses = shared(move_to(next(stream), device), run.progress)
        return losses["total"], losses

    run.run(step)
    if not together.leads:
        return {}
    figures = evaluate_talker(loss, splits["held_out"], 12)
    save_talker(talker, out / FILES["talker"], _facts(run, config, requires, figures))
    return figures


def _facts(run: TrainingRun, config: TalkerTraining, requires: Mapping[str, str], figures: Mapping[str, float]) -> dict[str, Any]:
    return {"requires": dict(requires), "training": run.describe(), "recipe": asdict(config), "figures": dict(figures)}


def move_to(batch: TalkerBatch, device: str) -> TalkerBatch:
    return TalkerBatch(**{k: v.to(device, non_blocking=True) for k, v in vars(batch).items()})
