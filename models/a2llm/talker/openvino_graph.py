"""The talker's step as OpenVINO graphs, built node by node from a torch Talker.

One graph speaks a whole frame: conditioning, trunk, every level of both depth heads with sampling inside. A second
one is the duration head. Attention reads paged keys and values that the caller owns (the window is a ring of pages),
so rows at any position mix in one batch and nothing is copied.
Not a runtime: `openvino_talker` compiles and steps it. Shapes: N rows that take part, D latent, V codes of a level.
"""

# pyright: reportUnknownMemberType=false
# OpenVINO's operations are untyped.
# OpenVINO's type stubs lack what its modules export:
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportCallIssue=false

from dataclasses import dataclass
from typing import cast

import numpy as np
import openvino as ov
import openvino.opset15 as ops
from torch import Tensor

from a2llm.layers.openvino_nodes import (
    PAGE_SIZE,
    PAGE_TABLES,
    Angles,
    Node,
    affine,
    beside,
    columns,
    constant,
    embed,
    last_column,
    linear,
    named_model,
    normalise,
    paged_attention,
    parameter,
    rotary_angles,
    rotate,
    split_widths,
)
from a2llm.talker.config import COUNT_SLOTS, DURATION_AFTER, DURATION_BEFORE, DURATION_HISTORY, PHONE_SLOTS
from a2llm.talker.depth import DepthHead
from a2llm.talker.durations import DurationHead
from a2llm.talker.model import Talker
from a2llm.talker.sampling import BELOW_ONE
from a2llm.talker.trunk import ROPE_THETA, TrunkLayer

Given = dict[str, ov.Node]


@dataclass(frozen=True)
class Sampler:
    """Nodes that steer sampling: uniforms K x [N, 1], inverse temperatures and logs of min_p, each K x [1, 1]."""

    uniforms: list[ov.Output]
    sharpness: list[ov.Output]
    cuts: list[ov.Output]

    def draw(self, logits: Node, level: int) -> Node:
        """Codes [N] int32 from logits [N, V]: what `talker.sampling.sample_codes` computes."""
        last = constant(np.int64(-1))
        scaled = ops.multiply(ops.subtract(logits, ops.reduce_max(logits, last, True)), self.sharpness[level])
        kept = ops.convert(ops.greater_equal(scaled, self.cuts[level]), np.float32)
        reach = ops.cum_sum(ops.multiply(ops.exp(scaled), kept), last)
        target = ops.multiply(last_column(reach), self.uniforms[level])
        passed = ops.convert(ops.less_equal(reach, target), np.float32)
        return ops.convert(ops.reduce_sum(passed, last, False), np.int32)


@dataclass(frozen=True)
class TalkerGraphs:
    """Builds the graphs of one talker."""

    talker: Talker

    def step(self, audio_levels: int) -> ov.Model:
        """FrameBatch, the last latents, uniforms and page tables in; codes and latents of the frame out."""
        t, c, given = self.talker, self.talker.config, self._step_parameters()
        x = self._trunk(self._condition(given), given)
        sampler = self._sampler(given)
        codes, latent = self._depth(t.audio_head, x, t.audio_codebooks, sampler, 0, audio_levels)
        context = ops.concat([x, latent], 1)
        moves, place = self._depth(t.motion_head, context, t.motion_codebooks, sampler, c.audio_levels, c.motion_levels)
        outputs = {"audio_codes": codes, "audio_latent": latent, "motion_codes": moves, "motion_latent": place}
        return named_model("talker_step", outputs, list(given.values()))

    def durations(self) -> ov.Model:
        """phones [N, 11], past [N, 4], style [N, S], meaning [N, D] -> logits [N, 24]."""
        head, context = self.talker.durations, DURATION_BEFORE + 1 + DURATION_AFTER
        given = self._parameters({"phones": context, "past": DURATION_HISTORY}, self._spoken_widths())
        near = ops.concat([embed(head.phone, given["phones"]), embed(head.past, given["past"]), given["style"]], 1)
        x = ops.add(linear(near, beside(head.first, head.style)), self._meaning(head, given["meaning"]))
        x = ops.gelu(x, "tanh")
        x = ops.add(x, ops.gelu(linear(x, affine(head.second)), "tanh"))
        return named_model("talker_durations", {"logits": linear(x, affine(head.out))}, list(given.values()))

    def _spoken_widths(self) -> dict[str, int]:
        return {"meaning": self.talker.config.meaning_size, "style": self.talker.config.style_size}

    @staticmethod
    def _parameters(whole: dict[str, int], real: dict[str, int]) -> Given:
        """Inputs [N, width] by name."""
        given = {name: parameter(name, np.int32, [-1, width]) for name, width in whole.items()}
        return given | {name: parameter(name, np.float32, [-1, width]) for name, width in real.items()}

    def _step_parameters(self) -> Given:
        c = self.talker.config
        levels = c.audio_levels + c.motion_levels
        latents = {"audio": c.audio_latent, "motion": c.motion_latent, "uniforms": levels}
        given = self._parameters({"phones": PHONE_SLOTS, "counts": COUNT_SLOTS}, self._spoken_widths() | latents)
        given |= {name: parameter(name, np.int32, [-1]) for name in ("positions", *PAGE_TABLES)}
        given["max_context_len"] = parameter("max_context_len", np.int32, [])
        given |= {name: parameter(name, np.float32, [1, levels]) for name in ("sharpness", "cuts")}
        names = [f"{kind}.{layer}" for layer in range(c.layers) for kind in ("keys", "values")]
        return given | {name: parameter(name, np.float32, [-1, c.heads, PAGE_SIZE, c.head_dim]) for name in names}

    def _sampler(self, given: Given) -> Sampler:
        levels = self.talker.config.audio_levels + self.talker.config.motion_levels
        draws = ops.multiply(given["uniforms"], constant(np.float32(BELOW_ONE)))
        return Sampler(columns(draws, levels), columns(given["sharpness"], levels), columns(given["cuts"], levels))

    def _condition(self, given: Given) -> Node:
        """Builds `Talker.condition` as graph nodes; returns [N, width]."""
        t = self.talker
        counts = ops.add(given["counts"], constant(t.count_offset.numpy().astype(np.int32)))
        near = ops.concat([embed(t.phone, given["phones"]), embed(t.count, counts), given["style"]], 1)
        x = linear(near, beside(t.text, t.style))
        gated = ops.multiply(ops.sigmoid(linear(x, affine(t.gate))), self._meaning(t, given["meaning"]))
        last = ops.concat([given["audio"], given["motion"]], 1)
        return ops.add(ops.add(x, gated), linear(last, beside(t.last_audio, t.last_motion)))

    @staticmethod
    def _meaning(module: Talker | DurationHead, meaning: Node) -> Node:
        """The projected meaning, nothing where there is none."""
        known = ops.greater(ops.reduce_max(ops.abs(meaning), constant(np.int64(-1)), True), constant(np.float32(0)))
        projected = linear(normalise(meaning, module.meaning_norm), affine(module.meaning))
        return ops.multiply(projected, ops.convert(known, np.float32))

    def _trunk(self, x: Node, given: Given) -> Node:
        """Builds `Trunk.step` as graph nodes; x and result [N, width]."""
        angles = rotary_angles(self.talker.config.head_dim, ROPE_THETA, given["positions"])
        for index, layer in enumerate(cast(list[TrunkLayer], list(self.talker.trunk.layers))):
            memory = [given[name] for name in (f"keys.{index}", f"values.{index}", *PAGE_TABLES)]
            x = self._layer(layer, x, angles, memory, given["max_context_len"])
        return normalise(x, self.talker.trunk.norm)

    def _layer(self, layer: TrunkLayer, x: Node, angles: Angles, memory: list[ov.Node], longest: ov.Node) -> Node:
        """Pre-norm attention over the paged window, then the feed-forward."""
        inner = normalise(x, layer.norm_attention)
        joined = linear(inner, affine(layer.qkv))
        x = ops.add(x, linear(self._attention(joined, angles, memory, longest), affine(layer.out)))
        inner = ops.gelu(linear(normalise(x, layer.norm_feed), affine(layer.up)), "tanh")
        return ops.add(x, linear(inner, affine(layer.down)))

    def _attention(self, joined: Node, angles: Angles, memory: list[ov.Node], longest: ov.Node) -> Node:
        c = self.talker.config
        turned, value = split_widths(joined, [2 * c.width, c.width])
        turned = rotate(turned, 2 * c.heads, c.head_dim, angles)
        return paged_attention(turned, value, (c.heads, c.heads), c.head_dim, memory, longest, c.window)

    def _depth(self, head: DepthHead, context: Node, codebooks: Tensor, sampler: Sampler, first: int, levels: int) -> tuple[Node, Node]:
        """`DepthHead.sample`: codes [N, levels] and latent [N, D]. first: the level's place among the uniforms."""
        contexts = columns(linear(context, affine(head.from_context)), len(head.inner))
        books = codebooks.numpy()
        latent: Node | None = None
        codes = []
        for level in range(levels):
            stage = self._stage(head, level, contexts[level], latent)
            code = sampler.draw(linear(stage, affine(head.logits[level])), first + level)
            vector = ops.gather(constant(books[level]), code, constant(np.int64(0)))
            latent = vector if latent is None else ops.add(latent, vector)
            codes.append(ops.unsqueeze(code, constant(np.int64(1))))
        assert latent is not None
        if head.residual:
            stage = self._stage(head, levels, contexts[levels], latent)
            latent = ops.add(latent, linear(stage, affine(head.remains[levels])))
        return ops.concat(codes, 1), latent

    @staticmethod
    def _stage(head: DepthHead, level: int, context: Node, latent: Node | None) -> Node:
        if latent is not None:
            context = ops.add(linear(latent, affine(head.from_latent[level])), context)
        hidden = ops.gelu(context, "tanh")
        return ops.add(ops.gelu(linear(hidden, affine(head.inner[level])), "tanh"), hidden)
