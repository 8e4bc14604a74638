"""Properties of the turn machine that hold for any events in any order."""

from hypothesis import given, settings
from hypothesis import strategies as st

from a2serve.contracts.session_config import SemanticVad, ServerVad
from a2serve.gateway.realtime.turn import events as turn
from a2serve.gateway.realtime.turn.machine import MAX_HOLD_MS, TurnState, step
from a2serve.gateway.realtime.turn.rules import rules_of

DETECTIONS = st.one_of(
    st.none(),
    st.builds(
        ServerVad,
        silence_duration_ms=st.integers(64, 1500),
        prefix_padding_ms=st.integers(0, 500),
        idle_timeout_ms=st.one_of(st.none(), st.integers(1000, 5000)),
        create_response=st.booleans(),
        interrupt_response=st.booleans(),
    ),
    st.builds(SemanticVad, eagerness=st.sampled_from(["low", "medium", "high", "auto"]), interrupt_response=st.booleans()),
)
TEXTS = st.sampled_from(["", "mhm", "yeah", "wait", "what is the moon"])
STEPS = st.one_of(
    st.tuples(st.just("voice"), st.floats(0, 1), st.integers(1, 20)),
    st.tuples(st.just("words"), TEXTS, st.one_of(st.none(), st.floats(0, 1))),
    st.tuples(st.just("tick"), st.integers(0, 2000), st.none()),
    st.tuples(st.just("response"), st.sampled_from([turn.ResponseStarted(), turn.ResponseSpeaking(), turn.ResponseEnded()]), st.none()),
    st.tuples(st.just("taken"), st.none(), st.none()),
    st.tuples(st.just("rules"), DETECTIONS, st.none()),
)


def run(detection, steps):
    """Yields (state before, event, state after, actions)."""
    state, now_ms = TurnState(rules=rules_of(detection)), 0.0
    for kind, first, second in steps:
        events: list[turn.TurnEvent] = []
        if kind == "voice":
            for index in range(second):
                at = state.input_ms + 32 * index
                events.append(turn.Voice(first, at, at + 32))
        elif kind == "words":
            events.append(turn.Words(first, state.input_ms, second))
        elif kind == "tick":
            now_ms += first
            events.append(turn.Tick())
        elif kind == "response":
            events.append(first)
        elif kind == "taken":
            events.append(turn.InputTaken())
        else:
            events.append(turn.Configured(rules_of(first)))
        for event in events:
            now_ms += 32 if kind == "voice" else 0
            before = state
            state, actions = step(state, event, now_ms)
            yield before, event, state, actions, now_ms


@settings(max_examples=150, deadline=None)
@given(DETECTIONS, st.lists(STEPS, max_size=40))
def test_every_hold_is_answered_once_and_in_time(detection, steps):
    held = False
    for before, _event, state, actions, now_ms in run(detection, steps):
        for action in actions:
            if isinstance(action, turn.Hold):
                assert not held and before.rules.interrupts and before.response != "none"
                held = True
            elif isinstance(action, turn.Resume | turn.Interrupt):
                assert held or (isinstance(action, turn.Interrupt) and before.speech and before.speech.dismissed)
                held = False
        assert held == (state.held_since_ms is not None) == (state.phase == "held")
        if state.held_since_ms is not None and isinstance(_event, turn.Voice | turn.Tick):
            assert now_ms - state.held_since_ms < MAX_HOLD_MS


@settings(max_examples=150, deadline=None)
@given(DETECTIONS, st.lists(STEPS, max_size=40))
def test_utterances_are_well_formed(detection, steps):
    open_, announced = False, False
    for _, event, state, actions, _ in run(detection, steps):
        for action in actions:
            match action:
                case turn.BeginUtterance():
                    assert not open_
                    open_, announced = True, False
                case turn.AnnounceSpeech():
                    assert open_ and not announced
                    announced = True
                case turn.EndTurn(end_input_ms=end):
                    assert open_ and announced and 0 < end <= state.input_ms
                    open_ = False
                case turn.DropUtterance():
                    assert open_ and not announced
                    open_ = False
                case turn.IdleTimeout(start_input_ms=start, end_input_ms=end):
                    assert not open_ and 0 <= start <= end
                case _:
                    pass
        if isinstance(event, turn.InputTaken) or (isinstance(event, turn.Configured) and event.rules.off):
            open_ = False
        assert open_ == (state.speech is not None)


@settings(max_examples=100, deadline=None)
@given(DETECTIONS, st.lists(STEPS, max_size=30))
def test_the_same_events_give_the_same_actions(detection, steps):
    assert list(run(detection, steps)) == list(run(detection, steps))


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 0.3), st.integers(1, 400))
def test_silence_does_nothing(probability, windows):
    for *_, actions, _ in run(ServerVad(), [("voice", probability, windows)]):
        assert actions == ()
