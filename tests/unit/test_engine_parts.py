"""The engine's parts alone, on a tiny model: what is refused before a slot is touched, how text is read and drawn, how a frame is made."""

import threading

import numpy as np
import pytest
import torch
from support.models import tiny

from a2llm.engine.conversation import Conversation
from a2llm.engine.parts import TextSampling
from a2llm.engine.plan import Chunk
from a2llm.engine.response_builder import ResponseBuilder
from a2llm.engine.slot import Slot
from a2llm.engine.synthesizer import FrameRequest, Frames, Synthesizer
from a2llm.engine.text_decoder import TextDecoder
from a2llm.language.chat import ChatTemplate, find_persona
from a2llm.messages import Affect, ResponseOptions, Resume, Tool, UserTurn
from a2llm.talker.config import SamplingConfig

CONTEXT = 400
ITEMS = (UserTurn("Hello there"),)
PARTS = tiny.parts("torch")


class Stand:
    """Slots of one cache, with what builds responses for them and reads them."""

    def __init__(self, rows: int = 2, sampling: TextSampling | None = None) -> None:
        sampling = sampling or TextSampling()
        self.cache = PARTS.backbone.new_cache(rows, CONTEXT)
        self.talks = [Conversation(find_persona("ada"), Slot(self.cache, row)) for row in range(rows)]
        self.builder = ResponseBuilder(PARTS, ChatTemplate(PARTS.tokenizer), CONTEXT, sampling)
        self.decoder = TextDecoder(PARTS, self.cache, sampling)

    @torch.inference_mode()
    def read(self, chunks: list[Chunk]) -> None:
        """Reads as the engine does in its step."""
        self.decoder.read(chunks)

    def begin(self, row: int, **options):
        made = self.builder.build(self.talks[row], ITEMS, ResponseOptions(**options))
        made.start()
        return made


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"resume": Resume(tokens=(1,) * 4), "max_output_tokens": 3}, "a response of 4 tokens cannot go on: it may have 3"),
        ({"resume": Resume(tokens=(tiny.VOCABULARY,))}, "a token that is not in the vocabulary"),
        ({"tools": (Tool("bad", "x", {"type": "nonsense"}),)}, "tool bad: parameters must be of type object"),
    ],
)
def test_a_request_that_is_refused_has_touched_nothing(options: dict, said: str) -> None:
    stand = Stand()
    with pytest.raises(ValueError, match=said):
        stand.builder.build(stand.talks[0], ITEMS, ResponseOptions(**options))
    assert stand.talks[0].slot.ids == [] and stand.cache.lengths.tolist() == [0, 0]


def test_a_prompt_in_pieces_draws_what_the_whole_one_draws() -> None:
    whole, pieces = Stand(), Stand()
    first, second = whole.begin(0, seed=5), pieces.begin(0, seed=5)
    whole.read([Chunk(first, len(first.text.unread))])
    while len(second.text.unread) > 7:
        pieces.read([Chunk(second, 7)])
        assert not second.begun, "nothing is drawn before the prompt has been read"
    pieces.read([Chunk(second, len(second.text.unread))])
    assert first.begun and second.begun and first.text.tokens == second.text.tokens and len(first.text.tokens) == 1
    assert whole.talks[0].slot.ids == pieces.talks[0].slot.ids and first.affect.category == second.affect.category
    assert first.affect.intensity == pytest.approx(second.affect.intensity, abs=1e-5)


def test_a_response_draws_the_same_alone_and_in_company() -> None:
    together, alone = Stand(), Stand()
    first, second, single = together.begin(0, seed=1), together.begin(1, seed=2), alone.begin(0, seed=1)
    for _ in range(4):
        together.read([Chunk(each, len(each.text.unread)) for each in (first, second)])
        alone.read([Chunk(single, len(single.text.unread))])
    assert first.text.tokens == single.text.tokens and len(first.text.tokens) == 4


def test_options_rule_temperature_and_affect() -> None:
    stand = Stand()
    cold = [stand.begin(row, temperature=0.0, seed=row, affect=Affect("joy", 0.4)) for row in (0, 1)]
    for _ in range(3):
        stand.read([Chunk(each, len(each.text.unread)) for each in cold])
    assert cold[0].text.tokens == cold[1].text.tokens, "the likeliest tokens, whatever the seed"
    assert cold[0].affect == Affect("joy", 0.4)


def request(rows: list[int], seed: int = 0) -> FrameRequest:
    generator = torch.Generator().manual_seed(seed)
    frames = tiny.draw_frames(len(rows), generator)
    uniforms = torch.rand(len(rows), tiny.TALKER.audio_levels + tiny.TALKER.motion_levels, generator=generator)
    return FrameRequest(
        frames, uniforms, torch.tensor(rows), torch.zeros(len(rows), dtype=torch.long), [(PARTS.vocoder.start(row), False) for row in rows]
    )


def made(synthesizer: Synthesizer, *requests: FrameRequest) -> list[Frames]:
    return [synthesizer.synthesize(each, SamplingConfig(audio_levels=tiny.TALKER.audio_levels)) for each in requests]


def test_a_frame_is_two_of_motion_and_a_restarted_row_is_as_new() -> None:
    used, fresh = Synthesizer(PARTS, 3), Synthesizer(PARTS, 3)
    first, again = made(used, request([0, 2]), request([0, 2]))
    assert first.motion.shape == (2, 2, 61) and len(first.pcm) == 2
    assert not np.array_equal(first.motion, again.motion), "a row goes on from its last frame"
    for row in (0, 2):
        used.restart(row)
    (anew,), (new,) = made(used, request([0, 2])), made(fresh, request([0, 2]))
    np.testing.assert_allclose(anew.motion, new.motion, atol=1e-6)
    np.testing.assert_allclose(first.motion, new.motion, atol=1e-6)


def test_what_runs_beside_a_frame_runs_in_the_caller_s_thread_and_its_error_waits_for_the_frame() -> None:
    synthesizer, sampling, ran = Synthesizer(PARTS, 1), SamplingConfig(audio_levels=tiny.TALKER.audio_levels), []
    frames = synthesizer.synthesize(request([0]), sampling, lambda: ran.append(threading.current_thread()))
    assert ran == [threading.current_thread()] and frames.motion.shape == (1, 2, 61)

    def fails() -> None:
        raise KeyError("reading failed")

    with pytest.raises(KeyError, match="reading failed"):
        synthesizer.synthesize(request([0]), sampling, fails)
    assert made(synthesizer, request([0]))[0].motion.shape == (1, 2, 61), "the rows are whole"
