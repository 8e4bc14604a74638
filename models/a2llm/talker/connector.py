"""The Motion Connector: what a word means where it stands, from the backbone's states of the words around it and of the user's last ones.

One query a word, over the words spoken before it, itself, some words to come (`TalkerConfig.look_ahead`) and the words that it responds
to. Keys carry the distance in words (Shaw et al. 2018). `forward` serves training, `WordMeanings` streaming; a test proves them equal.
Not the talker: that reads one meaning a frame and nothing of the words. Shapes: B rows, W words, Q words of the user, S state width,
D connector width, N places of the memory.
"""

# pyright: reportUnknownMemberType=false
# torch.from_numpy is untyped.

from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from a2llm.affect import Affect
from a2llm.talker.config import USER_WORDS, WORDS_AFTER, WORDS_BEFORE, TalkerConfig

NEAR = WORDS_BEFORE + 1 + WORDS_AFTER  # places for words of the response; those of the user stand behind them
PLACES = NEAR + USER_WORDS
MOST = 8.0  # standard deviations of a state's value; a few of them are far outliers
NEUTRAL = Affect().vector()  # of a word that no backbone wrote


@dataclass(frozen=True)
class Meaning:
    """meaning [..., D]; functions [..., 30] logits of what the words do; affects [..., 5] logits of what they feel like."""

    meaning: Tensor
    functions: Tensor
    affects: Tensor


class Memory(NamedTuple):
    """Keys and values of a word in every layer, [..., L, D] each."""

    keys: Tensor
    values: Tensor


class ConnectorLayer(nn.Module):
    """Pre-norm attention of one query a word over its places, then GELU feed-forward."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm_query, self.norm_memory, self.norm_feed = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value = nn.Linear(width, width), nn.Linear(width, width, bias=False), nn.Linear(width, width)
        self.place = nn.Parameter(torch.randn(PLACES, width) * 0.02)
        self.out = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def remember(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Key and value [..., D] of projected words [..., D]."""
        x = self.norm_memory(x)
        return self.key(x), self.value(x)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, known: Tensor) -> Tensor:
        """x [M, D] one query each; keys, values [M, N, D]; known [M, N] bool -> [M, D]."""
        split = (len(x), -1, self.heads, x.shape[-1] // self.heads)
        query = self.query(self.norm_query(x)).view(split)  # [M, 1, H, d]
        places = (keys + self.place).view(split)
        scores = (query * places).sum(-1) * split[-1] ** -0.5  # [M, N, H]
        weights = scores.masked_fill(~known[..., None], -torch.inf).softmax(1)
        weights = F.dropout(weights, self.dropout, self.training)
        x = x + self.out((weights[..., None] * values.view(split)).sum(1).flatten(-2))
        inner = self.down(F.gelu(self.up(self.norm_feed(x)), approximate="tanh"))
        return x + F.dropout(inner, self.dropout, self.training)


class Connector(nn.Module):
    """States of words -> meanings. `mean` and `scale` [S] are of the training's states, so that no outlier drowns the rest."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: TalkerConfig, dropout: float = 0.1) -> None:
        super().__init__()
        width = config.connector_width
        self.config, self.dropout = config, dropout
        self.register_buffer("mean", torch.zeros(config.state_size))
        self.register_buffer("scale", torch.ones(config.state_size))
        self.norms = nn.ModuleList(nn.LayerNorm(config.hidden_size) for _ in config.depths)
        self.project = nn.Linear(config.state_size, width)
        self.segment = nn.Parameter(torch.randn(2, width) * 0.02)  # of words of the response, of the user
        self.layers = nn.ModuleList(ConnectorLayer(width, config.connector_heads, dropout) for _ in range(config.connector_layers))
        self.norm = nn.LayerNorm(width)
        self.functions = nn.Linear(width, len(config.functions))
        self.affects = nn.Linear(width, config.affects)

    def _layers(self) -> list[ConnectorLayer]:
        return cast("list[ConnectorLayer]", list(self.layers))

    def read(self, states: Tensor, segment: int) -> Tensor:
        """States [..., S] of words -> [..., D]. segment: 0 words of the response, 1 of the user."""
        x = ((states - self.mean) / self.scale).clamp(-MOST, MOST)
        parts = x.chunk(len(self.norms), -1)
        x = torch.cat([norm(part) for norm, part in zip(self.norms, parts, strict=True)], -1)
        return self.project(F.dropout(x, self.dropout, self.training)) + self.segment[segment]

    def remember(self, x: Tensor) -> Memory:
        """Keys and values of read words [..., D]."""
        found = [layer.remember(x) for layer in self._layers()]
        return Memory(torch.stack([k for k, _ in found], -2), torch.stack([v for _, v in found], -2))

    def attend(self, x: Tensor, memory: Memory, known: Tensor) -> Meaning:
        """Queries x [M, D] over their places, memory [M, N, L, D] and known [M, N]."""
        for index, layer in enumerate(self._layers()):
            x = layer(x, memory.keys[..., index, :], memory.values[..., index, :], known)
        meaning = self.norm(x)
        return Meaning(meaning, self.functions(meaning), self.affects(meaning))

    def forward(self, states: Tensor, user: Tensor) -> Meaning:
        """All words of whole responses: states [B, W, S], user [B, Q, S]; a word whose states are zeros is unknown, and means zeros."""
        known, heard = _known(states), _known(user)
        x = self.read(states, 0)
        words, users = self.remember(x), self.remember(self.read(user, 1))
        near, seen = near_words(states.shape[1], self.config, states.device)
        memory = Memory(
            *(torch.cat((w[:, near], _last(u)[:, None].expand(-1, len(near), -1, -1, -1)), 2) for w, u in zip(words, users, strict=True))
        )
        places = torch.cat((seen & known[:, near], _last(heard)[:, None].expand(-1, len(near), -1)), 2)
        places = places | ~places.any(-1, keepdim=True)  # of an unknown word, whose meaning is dropped: no nan
        made = self.attend(x.flatten(0, 1), Memory(*(m.flatten(0, 1) for m in memory)), places.flatten(0, 1))
        shape = states.shape[:2]
        meaning = made.meaning.view(*shape, -1) * known[..., None]
        return Meaning(meaning, made.functions.view(*shape, -1), made.affects.view(*shape, -1))


def _known(states: Tensor) -> Tensor:
    """Words [...] that have states, as [..., S] not all zeros."""
    return (states != 0).any(-1)


def _last(x: Tensor) -> Tensor:
    """The last USER_WORDS of [B, Q, ...], the newest last, zeros before them."""
    x = x[:, -USER_WORDS:]
    return torch.cat((x.new_zeros(x.shape[0], USER_WORDS - x.shape[1], *x.shape[2:]), x), 1)


def near_words(words: int, config: TalkerConfig, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Index [W, NEAR] of the words at each place around every word, and which of the places [W, NEAR] it may see."""
    own = torch.arange(words, device=device)[:, None]
    index = own + torch.arange(-WORDS_BEFORE, WORDS_AFTER + 1, device=device)
    reach = torch.tensor([config.look_ahead(word) for word in range(words)], device=device)[:, None]
    return index.clamp(0, words - 1), (index >= 0) & (index < words) & (index <= own + reach)


class WordMeanings:
    """The meanings of one response's words, each as soon as its look-ahead is known. On the CPU.

    One word a call, in shapes that never change: its bits depend on nothing but the words. Without a connector a word's meaning is its
    own states.
    """

    def __init__(self, connector: Connector | None, config: TalkerConfig) -> None:
        self._connector, self._config = connector, config
        self._states: list[np.ndarray] = []
        self._read: list[Tensor] = []
        width = max(1, config.connector_width)
        shape = (PLACES, config.connector_layers, width)
        self._keys, self._values = list[Tensor](), list[Tensor]()
        self._user = Memory(torch.zeros(USER_WORDS, *shape[1:]), torch.zeros(USER_WORDS, *shape[1:]))
        self._heard = torch.zeros(USER_WORDS, dtype=torch.bool)
        self._ended = False
        self.meanings: list[np.ndarray] = []  # [D] of each word so far
        self.affects: list[np.ndarray] = []  # [5] of each word so far, shares that add up to 1; none without a connector

    @torch.inference_mode()
    def hear(self, states: np.ndarray) -> None:
        """The states [Q, S] at the ends of the words that the response responds to; before its first word."""
        if self._connector is None or not len(states):
            return
        user = torch.from_numpy(states[-USER_WORDS:].astype(np.float32))
        padded = torch.cat((user.new_zeros(USER_WORDS - len(user), user.shape[1]), user))
        self._user, self._heard = self._connector.remember(self._connector.read(padded, 1)), _known(padded)

    @torch.inference_mode()
    def push(self, states: np.ndarray) -> None:
        """The next word's states [S], zeros where there are none."""
        self._states.append(states)
        if self._connector is not None:
            read = self._connector.read(torch.from_numpy(states)[None], 0)
            memory = self._connector.remember(read)
            self._read.append(read)
            self._keys.append(memory.keys[0])
            self._values.append(memory.values[0])
        self._release()

    def end(self) -> None:
        """No more words will come."""
        self._ended = True
        self._release()

    @property
    def words(self) -> int:
        """Words so far, their meanings known or not."""
        return len(self._states)

    def _release(self) -> None:
        while (word := len(self.meanings)) < len(self._states):
            if not self._ended and word + self._config.look_ahead(word) >= len(self._states):
                return
            if self._connector is None:
                self.meanings.append(self._states[word])
            else:
                self._attend(self._connector, word)

    @torch.inference_mode()
    def _attend(self, connector: Connector, word: int) -> None:
        last = min(word + self._config.look_ahead(word), len(self._states) - 1)
        shape = (PLACES, self._config.connector_layers, self._config.connector_width)
        keys, values, known = torch.zeros(shape), torch.zeros(shape), torch.zeros(PLACES, dtype=torch.bool)
        for place, other in enumerate(range(word - WORDS_BEFORE, last + 1)):
            if other >= 0 and self._states[other].any():
                keys[place], values[place], known[place] = self._keys[other], self._values[other], True
        keys[NEAR:], values[NEAR:], known[NEAR:] = self._user.keys, self._user.values, self._heard
        if not self._states[word].any():
            self.meanings.append(np.zeros(self._config.connector_width, np.float32))
            self.affects.append(NEUTRAL)
            return
        made = connector.attend(self._read[word], Memory(keys[None], values[None]), known[None])
        self.meanings.append(made.meaning[0].numpy())
        self.affects.append(made.affects[0].softmax(-1).numpy())
