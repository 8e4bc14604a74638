"""Stage 0: a LoRA that makes the backbone speak in short spoken sentences, and the head that chooses
the response's affect. Trained together on the hand-written dialogues; the base weights stay frozen.

Only the upper layers are adapted, so the lower half runs once per dialogue and its output is kept:
three times fewer operations per epoch, which is what makes this a matter of minutes on two cores.
"""

import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from a2llm.checkpoint import save_component
from a2llm.components import FILES
from a2llm.data.dialogues import Dialogue, load_dialogues
from a2llm.language.affect_head import AffectHead
from a2llm.language.chat import ChatTemplate, Persona, find_persona, personas
from a2llm.language.llama import Llama
from a2llm.language.tokenizer import TextTokenizer
from a2llm.layers.lora import add_lora, lora_state
from a2llm.training.loop import LoopConfig, Progress, TrainingRun

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
PREPARED_AT_ONCE = 32  # dialogues whose lower half runs in one batch


@dataclass(frozen=True)
class BackboneTraining:
    """Complete configuration of stage 0. Layers from `first_layer` on are adapted. limit: only so many dialogues, spread over all."""

    rank: int = 32
    alpha: float = 64.0
    first_layer: int = 15
    epochs: int = 2
    batch: int = 8
    user_loss: float = 0.25
    affect_loss: float = 0.5
    hidden_dropout: float = 0.1
    max_tokens: int = 160
    limit: int | None = None
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(peak_lr=6e-4, warmup_steps=40, betas=(0.9, 0.99), weight_decay=0.05, log_every=20)
    )


@dataclass(frozen=True)
class Example:
    """Token ids of one dialogue, the loss weight of each, and where each response begins."""

    ids: list[int]
    weights: list[float]
    starts: list[int]
    categories: list[int]
    intensities: list[float]


def pick_persona(dialogue: Dialogue) -> Persona:
    """The dialogue's own; else two thirds speak to the default persona, the rest to the others; fixed per dialogue."""
    if dialogue.persona:
        return find_persona(dialogue.persona)
    known = list(personas().values())
    draw = sha256(dialogue.exchanges[0].response.encode()).digest()[1]
    return known[0] if draw < 170 else known[draw % len(known)]


def encode_dialogue(dialogue: Dialogue, persona: Persona, template: ChatTemplate, tokenizer: TextTokenizer, user_loss: float) -> Example:
    """Lay a dialogue out exactly as it is laid out at run time."""
    ids = template.system(persona)
    weights = [0.0] * len(ids)
    starts: list[int] = []
    for exchange in dialogue.exchanges:
        user = template.user(exchange.user, exchange.voice)
        begin = template.response_start()
        response = tokenizer.encode(exchange.response) + template.response_end()
        ids += user + begin
        weights += [user_loss] * len(user) + [0.0] * len(begin)
        starts.append(len(ids) - 1)
        ids += response
        weights += [1.0] * (len(response) - 1) + [0.0]
    affects = [e.affect for e in dialogue.exchanges]
    return Example(ids, weights, starts, [a.index for a in affects], [a.intensity for a in affects])


class StageZero(nn.Module):
    """Backbone with adapters and the affect head, and their joint loss."""

    def __init__(self, model: Llama, config: BackboneTraining) -> None:
        super().__init__()
        self.config = config
        model.requires_grad_(False)
        add_lora(model.layers[config.first_layer :], TARGETS, config.rank, config.alpha)
        self.model = model
        self.head = AffectHead(model.config.hidden_size).to(model.embed_tokens.weight.device)

    def state_dict(self, *args: object, **kwargs: object) -> dict[str, Tensor]:  # only what is trained
        return lora_state(self.model) | {f"head.{k}": v for k, v in self.head.state_dict().items()}

    def load_state_dict(self, state: dict[str, Tensor], *args: object, **kwargs: object) -> None:
        self.head.load_state_dict({k[5:]: v for k, v in state.items() if k.startswith("head.")})
        own = lora_state(self.model)
        for key, value in state.items():
            if not key.startswith("head."):
                own[key].copy_(value)

    @torch.no_grad()
    def lower(self, examples: list[Example]) -> list[Tensor]:
        """Returns the hidden states [T, D] that enter the first adapted layer, one per example. They are the same in every epoch, so they
        are computed once."""
        device = self.model.embed_tokens.weight.device
        ids = nn.utils.rnn.pad_sequence([torch.tensor(e.ids, device=device) for e in examples], batch_first=True)
        rows = self.model.run_layers(self.model.embed_tokens(ids), 0, self.config.first_layer)
        return [row[: len(e.ids)].half() for row, e in zip(rows, examples, strict=True)]

    def forward(self, examples: list[Example], lower: list[Tensor]) -> dict[str, Tensor]:
        """Losses, scalars by name, of a batch of examples and their lower-half activations [T, D]."""
        device = lower[0].device
        x = nn.utils.rnn.pad_sequence(lower, batch_first=True).float()
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            hidden = self.model.run_layers(x, self.config.first_layer, len(self.model.layers))
            hidden = self.model.norm(hidden)
            return {"text": self._text(hidden, examples)} | self._affect(hidden, examples)

    def _text(self, hidden: Tensor, examples: list[Example]) -> Tensor:
        """Weighted cross-entropy; the vocabulary is only spread out where a loss is asked for."""
        spots = [
            (i, t, e.ids[t + 1], e.weights[t + 1]) for i, e in enumerate(examples) for t in range(len(e.ids) - 1) if e.weights[t + 1] > 0
        ]
        rows, times, targets, weights = zip(*spots, strict=True)
        logits = self.model.logits(hidden[list(rows), list(times)]).float()
        each = F.cross_entropy(logits, torch.tensor(targets, device=hidden.device), reduction="none")
        weight = torch.tensor(weights, device=hidden.device)
        return (each * weight).sum() / weight.sum()

    def _affect(self, hidden: Tensor, examples: list[Example]) -> dict[str, Tensor]:
        picked = torch.stack([hidden[i, s] for i, e in enumerate(examples) for s in e.starts])
        picked = F.dropout(picked, self.config.hidden_dropout, self.training)
        categories = torch.tensor([c for e in examples for c in e.categories], device=hidden.device)
        levels = torch.tensor([v for e in examples for v in e.intensities], device=hidden.device)
        logits, intensity = self.head(picked)
        expressive = (categories > 0).float()
        miss = ((intensity - levels).abs() * expressive).sum() / expressive.sum().clamp(min=1)
        return {
            "affect": F.cross_entropy(logits, categories, label_smoothing=0.05),
            "intensity": miss,
            "accuracy": (logits.argmax(-1) == categories).float().mean(),
        }


@dataclass(frozen=True)
class Corpus:
    """Encoded dialogues with their kept lower-half activations."""

    examples: list[Example]
    lower: list[Tensor]

    @classmethod
    def build(cls, stage: StageZero, examples: list[Example], label: str, on_progress: Progress | None) -> "Corpus":
        ordered = sorted(examples, key=lambda e: len(e.ids))  # rows of one length waste no padding
        kept: list[Tensor] = []
        for start in range(0, len(ordered), PREPARED_AT_ONCE):
            kept += stage.lower(ordered[start : start + PREPARED_AT_ONCE])
            if on_progress:
                on_progress(len(kept), len(ordered), {f"preparing {label}": 0.0})
        return cls(ordered, kept)

    def batches(self, size: int, rng: random.Random) -> Iterator[list[int]]:
        """Batches of similar length, in random order, for ever."""
        while True:
            order = sorted(range(len(self.examples)), key=lambda i: len(self.examples[i].ids) + rng.uniform(-6, 6))
            groups = [order[i : i + size] for i in range(0, len(order), size)]
            rng.shuffle(groups)
            yield from groups

    def loss(self, stage: StageZero, picks: list[int]) -> dict[str, Tensor]:
        """Losses, scalars by name, of the examples `picks`."""
        return stage([self.examples[i] for i in picks], [self.lower[i] for i in picks])


@torch.no_grad()
def evaluate(stage: StageZero, corpus: Corpus) -> dict[str, float]:
    """Mean losses over the whole held-out corpus, by name."""
    stage.eval()
    sums: dict[str, float] = {}
    for start in range(0, len(corpus.examples), 16):
        picks = list(range(start, min(start + 16, len(corpus.examples))))
        for key, value in corpus.loss(stage, picks).items():
            sums[key] = sums.get(key, 0.0) + float(value) * len(picks)
    stage.train()
    return {f"held_out_{k}": v / len(corpus.examples) for k, v in sums.items()}


def train_backbone(folder: Path, out: Path, config: BackboneTraining, device: str, on_progress: Progress | None = None) -> dict[str, float]:
    """Train on the backbone in `folder`; write `out`/backbone_lora.safetensors. Returns held-out figures."""
    torch.manual_seed(config.loop.seed)
    tokenizer = TextTokenizer(folder)
    template = ChatTemplate(tokenizer)
    stage = StageZero(Llama.from_folder(folder).to(device), config).train()
    dialogues = list(load_dialogues())
    chosen = dialogues[:: max(1, len(dialogues) // config.limit)] if config.limit else dialogues
    encoded = [(d.held_out, encode_dialogue(d, pick_persona(d), template, tokenizer, config.user_loss)) for d in chosen]
    fitting = [(h, e) for h, e in encoded if len(e.ids) <= config.max_tokens]
    train = Corpus.build(stage, [e for h, e in fitting if not h], "training set", on_progress)
    held_out = Corpus.build(stage, [e for h, e in fitting if h], "held-out set", on_progress)
    steps = config.epochs * -(-len(train.examples) // config.batch)
    run = TrainingRun("backbone", stage, config.loop.with_steps(steps), out, on_progress, torch.default_generator)
    order = islice(train.batches(config.batch, random.Random(config.loop.seed)), run.step_index, None)

    def step(index: int) -> tuple[Tensor, dict[str, Tensor]]:
        losses = train.loss(stage, next(order))
        return losses["text"] + config.affect_loss * (losses["affect"] + losses["intensity"]), losses

    run.run(step)
    figures = evaluate(stage, held_out)
    save_adapter(stage, out / FILES["backbone_lora"], config, figures, run.describe())
    return figures


def save_adapter(stage: StageZero, file: Path, config: BackboneTraining, figures: dict[str, float], facts: dict[str, object]) -> None:
    """Adapters and head as float16, with how they were made."""
    tensors = {k: v.detach().half() for k, v in stage.state_dict().items()}
    save_component(
        file,
        "backbone_lora",
        {"rank": config.rank, "alpha": config.alpha},
        tensors,
        {"figures": figures, "recipe": asdict(config), "training": facts},
    )
