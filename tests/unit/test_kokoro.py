"""The teacher of several voices: graphs are cut where they should be, styles are read, and, where Kokoro is installed, it speaks."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from a2llm import weights
from a2llm.affect import Affect
from a2llm.data.kokoro import PARTS, STYLE_WIDTH, Kokoro, installed_model, load_styles
from a2llm.data.prosody import deliver
from a2llm.data.score import Score
from a2llm.data.teachers import ONE_VOICE, OneVoice, load_teacher
from a2llm.data.voices import BRITISH, NAMES, STYLE_LENGTHS, VOICES, Style
from a2llm.layers.onnx_cut import cut
from a2llm.talker.phones import align_words, load_g2p

INSTALLED = all(find_spec(name) for name in PARTS)


def graph() -> onnx.ModelProto:
    """x -> twice -> squared, beside a branch that nobody asks for."""
    nodes = [
        helper.make_node("Add", ["x", "x"], ["twice"]),
        helper.make_node("Mul", ["twice", "twice"], ["squared"]),
        helper.make_node("Neg", ["y"], ["minus"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y", "squared", "minus")]
    return helper.make_model(
        helper.make_graph(nodes, "test", ends[:2], ends[2:]), opset_imports=[helper.make_opsetid("", 13)], ir_version=9
    )


def test_a_graph_is_cut_at_its_inputs_and_outputs() -> None:
    value = np.array([3.0], np.float32)
    assert cut(graph(), (), ["squared"]).run({"x": value})[0] == 36.0  # what only the other branch reads is not asked for
    assert cut(graph(), (), ["twice"]).run({"x": value})[0] == 6.0
    assert cut(graph(), ("twice",), ["squared"]).run({"twice": value})[0] == 9.0


def test_styles_are_rows_for_lengths(tmp_path: Path) -> None:
    file = tmp_path / "voice.bin"
    np.repeat(np.arange(510, dtype=np.float32), STYLE_WIDTH).tofile(file)
    style = Style.read(file)
    assert style.rows.shape == (len(STYLE_LENGTHS), STYLE_WIDTH)
    assert style.of(58)[0] == 60 and style.of(5)[0] == 10 and style.of(900)[0] == 300
    file.write_bytes(b"RIFF....")
    with pytest.raises(ValueError, match="no Kokoro voice"):
        load_styles(file)


def test_six_voices_of_both_sexes_and_accents() -> None:
    assert len(NAMES) == 6 and set(BRITISH) == {"emma", "george"}
    assert sum(voice.sex == "man" for voice in VOICES) == 3


def test_one_voice_is_the_small_teacher_s_and_several_are_looked_up(tmp_path: Path) -> None:
    assert isinstance(load_teacher(ONE_VOICE), OneVoice)
    with pytest.raises(ValueError, match="unknown voice"):
        load_teacher(("heart", "nobody"))
    score = Score.plain("Good morning.", Affect())
    with pytest.raises(ValueError, match="one voice"):
        OneVoice().speak("george", "ɡˈʊd", np.zeros(4, int), deliver(score, np.random.default_rng(0)))


@pytest.mark.skipif(not INSTALLED, reason="the packages of models/weights/teacher.txt are not installed")
def test_a_man_is_lower_than_a_woman_and_no_phone_is_swallowed() -> None:
    teacher, score = load_teacher(NAMES), Score.plain("Put them in the freezer for an hour.", Affect())
    phones = load_g2p(weights.resolve("g2p"))(score.text).strip()
    words = np.asarray(align_words(phones, len(score.words)))
    delivery = deliver(score, np.random.default_rng(0))
    pitch = {}
    for voice in ("heart", "michael"):
        speech = teacher.speak(voice, phones, words, delivery)
        frames = 2 * int(speech.durations.sum())
        assert speech.hidden.shape == (frames, 256) and speech.f0_hz.shape == speech.energy.shape == (frames,)
        assert frames % 4 == 0, "whole audio frames"
        assert int(speech.durations[0]) <= 8, "the silence that Kokoro wants is cut away again"
        pitch[voice] = np.median(speech.f0_hz[speech.f0_hz > 60])
    assert pitch["michael"] < 0.75 * pitch["heart"]


@pytest.mark.skipif(not INSTALLED, reason="the packages of models/weights/teacher.txt are not installed")
def test_phones_that_cannot_be_spoken_are_refused() -> None:
    kokoro = Kokoro(installed_model(), weights.resolve("g2p") / "vocab.json")
    with pytest.raises(ValueError, match="phones"):
        kokoro.ids("")
