"""Endpointing, barge-in and false interruptions, by example; the clock is ours."""

from dataclasses import replace

import pytest

from a2serve.contracts.session_config import SemanticVad, ServerVad
from a2serve.gateway.hearing.backchannel import is_backchannel
from a2serve.gateway.realtime.turn import events as turn
from a2serve.gateway.realtime.turn.machine import MAX_UTTERANCE_MS, TurnState, step
from a2serve.gateway.realtime.turn.rules import TurnRules, rules_of

WINDOW_MS = 32


class Table:
    """Runs the machine: real time, so input clock and session clock go together."""

    def __init__(self, rules: TurnRules | None = None, response: str = "none") -> None:
        self.state = TurnState(rules=rules or rules_of(ServerVad()))
        self.now_ms = 0.0
        self.seen: list[turn.TurnAction] = []
        if response != "none":
            self.do(turn.ResponseStarted())
        if response == "speaking":
            self.do(turn.ResponseSpeaking())

    def do(self, event: turn.TurnEvent) -> list[turn.TurnAction]:
        self.state, actions = step(self.state, event, self.now_ms)
        self.seen += actions
        return list(actions)

    def voice(self, ms: int, probability: float = 0.9) -> list[turn.TurnAction]:
        actions: list[turn.TurnAction] = []
        for _ in range(ms // WINDOW_MS):
            start = self.state.input_ms
            self.now_ms += WINDOW_MS
            actions += self.do(turn.Voice(probability, start, start + WINDOW_MS))
        return actions

    def quiet(self, ms: int) -> list[turn.TurnAction]:
        return self.voice(ms, 0.02)

    def words(self, text: str, probability: float | None = None) -> list[turn.TurnAction]:
        return self.do(turn.Words(text, self.state.input_ms, probability))

    def kinds(self) -> list[str]:
        return [type(action).__name__ for action in self.seen]


def test_a_turn_is_announced_with_its_padding_and_ends_after_the_silence():
    table = Table()
    table.quiet(640)
    assert table.voice(64) == [turn.BeginUtterance(340), turn.AnnounceSpeech(340)]
    assert table.state.phase == "listening"
    table.voice(960)
    assert table.quiet(480) == [turn.AskWords()]
    assert table.quiet(32) == [turn.EndTurn(640 + 1024, respond=True)]
    assert table.state.phase == "idle"


def test_one_loud_window_is_a_click():
    table = Table()
    table.voice(32)
    table.quiet(320)
    assert table.seen == []


def test_create_response_false_only_commits():
    table = Table(rules_of(ServerVad(create_response=False)))
    table.voice(640)
    assert table.quiet(512)[-1] == turn.EndTurn(640, respond=False)


@pytest.mark.parametrize(("eagerness", "enough"), [("high", 0.35), ("medium", 0.55), ("auto", 0.55), ("low", 0.75)])
def test_semantic_end_comes_with_enough_probability(eagerness, enough):
    table = Table(rules_of(SemanticVad(eagerness=eagerness)))
    table.voice(640)
    table.quiet(192)
    assert table.words("what is the", enough - 0.2) == []
    assert table.quiet(32) == []  # asked once per silence: those words cover it
    assert table.words("what is the moon", enough) == [turn.EndTurn(640, respond=True)]


@pytest.mark.parametrize(("eagerness", "wait_ms"), [("high", 2000), ("medium", 4000), ("low", 8000)])
def test_semantic_end_waits_no_longer_than_the_eagerness_says(eagerness, wait_ms):
    table = Table(rules_of(SemanticVad(eagerness=eagerness)))
    table.voice(640)
    table.words("and then I", 0.01)
    assert turn.EndTurn(640, respond=True) not in table.quiet(wait_ms - 64)
    assert table.quiet(96)[-1] == turn.EndTurn(640, respond=True)


def test_words_about_an_earlier_pause_do_not_end_the_turn():
    table = Table(rules_of(SemanticVad(eagerness="high")))
    table.voice(640)
    table.quiet(224)
    before = turn.Words("what is", table.state.input_ms, 0.99)
    table.voice(320)
    assert table.do(before) == []


def test_barge_in_holds_at_once_and_interrupts_when_it_says_something():
    table = Table(response="speaking")
    assert table.voice(64) == [turn.BeginUtterance(0), turn.Hold()]
    assert table.state.phase == "held"
    table.voice(256)
    assert table.words("wait stop") == [turn.AnnounceSpeech(0), turn.Interrupt()]
    assert table.state.phase == "listening"
    assert table.quiet(512)[-1] == turn.EndTurn(320, respond=True)


@pytest.mark.parametrize("sound", ["mhm", "Yeah.", "uh-huh", "Okay, right.", "", "[coughs]", "I see.", "Thank you."])
def test_a_backchannel_ducks_and_resumes(sound):
    table = Table(response="speaking")
    table.voice(416)
    table.quiet(192)
    table.words(sound)
    table.quiet(64)
    assert "Interrupt" not in table.kinds() and "AnnounceSpeech" not in table.kinds()
    assert table.kinds()[-2:] == ["DropUtterance", "Resume"]
    assert table.state.phase == "speaking"


def test_a_short_cough_resumes_without_words():
    table = Table(response="speaking")
    table.voice(96)
    assert table.quiet(224)[-2:] == [turn.DropUtterance(), turn.Resume()]


def test_a_long_voice_without_words_takes_the_floor_after_the_longest_hold():
    table = Table(response="speaking")
    table.voice(928)
    assert "Interrupt" not in table.kinds()
    assert table.voice(64)[-2:] == [turn.AnnounceSpeech(0), turn.Interrupt()]


def test_a_hold_ends_by_the_clock_when_the_client_stops_sending():
    table = Table(response="speaking")
    table.voice(416)
    table.quiet(224)
    table.now_ms += 1000
    assert table.do(turn.Tick())[-1] == turn.Resume()


def test_a_long_backchannel_is_dismissed_until_it_says_something():
    table = Table(response="speaking")
    table.voice(896)
    table.words("yeah yeah")
    table.voice(96)
    assert table.kinds()[-1] == "Resume" and table.state.phase == "speaking"
    table.voice(96)
    assert table.words("yeah yeah but listen") == [turn.AnnounceSpeech(0), turn.Interrupt()]


def test_interrupt_response_false_never_holds():
    table = Table(rules_of(ServerVad(interrupt_response=False)), response="speaking")
    table.voice(640)
    table.words("wait stop")
    assert table.quiet(512)[-1] == turn.EndTurn(640, respond=False)  # one answer at a time
    assert "Hold" not in table.kinds() and "Interrupt" not in table.kinds()


def test_a_response_that_ends_while_held_gives_the_floor():
    table = Table(response="speaking")
    table.voice(320)
    assert table.do(turn.ResponseEnded()) == [turn.Resume(), turn.AnnounceSpeech(0)]
    assert table.quiet(512)[-1] == turn.EndTurn(320, respond=True)


def test_speaking_on_after_a_premature_end_cancels_the_thinking():
    table = Table(response="thinking")
    table.voice(320)
    assert table.words("and also the sun")[-1] == turn.Interrupt()


def test_idle_timeout_counts_from_the_end_of_the_response():
    table = Table(rules_of(ServerVad(idle_timeout_ms=5000)), response="speaking")
    table.quiet(960)
    table.do(turn.ResponseEnded())
    table.quiet(4960)
    assert table.do(turn.Tick()) == []
    table.quiet(64)
    assert table.do(turn.Tick()) == [turn.IdleTimeout(960, 960 + 4960 + 64)]
    assert table.do(turn.Tick()) == []


def test_off_means_off():
    table = Table(rules_of(None))
    table.voice(3200)
    assert table.seen == []


def test_turning_detection_off_while_held_resumes():
    table = Table(response="speaking")
    table.voice(96)
    assert table.do(turn.Configured(rules_of(None))) == [turn.Resume()]


def test_an_endless_voice_is_a_turn_at_last():
    table = Table()
    table.voice(MAX_UTTERANCE_MS + 64)
    assert [a for a in table.seen if isinstance(a, turn.EndTurn)] == [turn.EndTurn(MAX_UTTERANCE_MS, respond=True)]


def test_the_client_takes_the_buffer():
    table = Table()
    table.voice(320)
    table.do(turn.InputTaken())
    assert table.state == replace(table.state, speech=None, onset_input_ms=None)


@pytest.mark.parametrize(("text", "expected"), [("mhm", True), ("no", False), ("Wait!", False), ("yeah but why", False), ("Stop.", False)])
def test_backchannels(text, expected):
    assert is_backchannel(text) is expected
