r"""The turn machine, pure: `step(state, event, now_ms) -> (state, actions)`. No I/O, no clock of its own.

Two clocks: `*_input_ms` counts the audio the user sent; `now_ms` is the session's own monotonic time. States:

    idle -> listening -> thinking -> speaking
                             \        /
                               held        somebody speaks over us: nothing is sent until we know what it is

A voice over the avatar is first a Hold. It becomes an Interrupt when it lasts and says something, a Resume when it was a
cough or a "mhm". `speech_started` goes out only when the voice is believed, since clients flush their player on it.
"""

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from a2serve.gateway.hearing.backchannel import is_backchannel
from a2serve.gateway.realtime.turn.events import (
    Actions,
    AnnounceSpeech,
    AskWords,
    BeginUtterance,
    Configured,
    DropUtterance,
    EndTurn,
    Hold,
    IdleTimeout,
    InputTaken,
    Interrupt,
    ResponseEnded,
    ResponseSpeaking,
    ResponseStarted,
    Resume,
    Tick,
    TurnEvent,
    Voice,
    Words,
)
from a2serve.gateway.realtime.turn.rules import TurnRules

ONSET_MS = 64  # two windows: one alone is often a click
CONTINUE_MARGIN = 0.15  # Silero's own hysteresis: speech goes on at a lower probability than it begins
BARGE_IN_MS = 300
MAX_HOLD_MS = 900
PAUSE_MS = 200  # a silence worth a question to the model
MAX_UTTERANCE_MS = 120_000

Phase: TypeAlias = Literal["idle", "listening", "thinking", "speaking", "held"]


@dataclass(frozen=True, slots=True)
class UserSpeech:
    """The user's current speech. `dismissed`: judged a backchannel while it still goes on."""

    start_input_ms: int
    voiced_until_ms: int
    announced: bool = False
    dismissed: bool = False
    asked: bool = False
    text: str = ""
    words_until_ms: int = -1
    turn_end_probability: float | None = None


@dataclass(frozen=True, slots=True)
class TurnState:
    """Everything that the machine remembers."""

    rules: TurnRules = field(default_factory=TurnRules)
    input_ms: int = 0
    onset_input_ms: int | None = None
    speech: UserSpeech | None = None
    response: Literal["none", "thinking", "speaking"] = "none"
    held_since_ms: float | None = None
    quiet_since_ms: float | None = None
    quiet_input_ms: int = 0

    @property
    def phase(self) -> Phase:
        """The state in one word."""
        if self.held_since_ms is not None:
            return "held"
        if self.response != "none":
            return self.response
        return "listening" if self.speech else "idle"


def step(state: TurnState, event: TurnEvent, now_ms: float) -> tuple[TurnState, Actions]:
    """Returns the next state and the actions, in order."""
    match event:
        case Voice():
            return _voice(state, event, now_ms)
        case Words():
            return _words(state, event, now_ms)
        case Tick():
            return _tick(state, now_ms)
        case ResponseStarted():
            return replace(state, response="thinking", quiet_since_ms=None), ()
        case ResponseSpeaking():
            return (replace(state, response="speaking") if state.response != "none" else state), ()
        case ResponseEnded():
            return _response_ended(state, now_ms)
        case InputTaken():
            return _without_speech(state)
        case Configured():
            return _without_speech(replace(state, rules=event.rules)) if event.rules.off else (replace(state, rules=event.rules), ())


def _voice(state: TurnState, event: Voice, now_ms: float) -> tuple[TurnState, Actions]:
    state = replace(state, input_ms=event.end_input_ms)
    if state.rules.off:
        return state, ()
    margin = CONTINUE_MARGIN if state.speech else 0.0
    voiced = event.probability >= max(state.rules.threshold - margin, 0.01)
    if state.speech is None:
        return _onset(state, event, now_ms) if voiced else (replace(state, onset_input_ms=None), ())
    if voiced:
        state = replace(state, speech=replace(state.speech, voiced_until_ms=event.end_input_ms, asked=False))
    return _judge(state, now_ms)


def _onset(state: TurnState, event: Voice, now_ms: float) -> tuple[TurnState, Actions]:
    start = event.start_input_ms if state.onset_input_ms is None else state.onset_input_ms
    if event.end_input_ms - start < ONSET_MS:
        return replace(state, onset_input_ms=start), ()
    held = state.response != "none" and state.rules.interrupts
    state = replace(state, onset_input_ms=None, speech=UserSpeech(start, event.end_input_ms, announced=not held), quiet_since_ms=None)
    begin = BeginUtterance(_padded(state, start))
    if held:
        return replace(state, held_since_ms=now_ms), (begin, Hold())
    return state, (begin, AnnounceSpeech(_padded(state, start)))


def _words(state: TurnState, event: Words, now_ms: float) -> tuple[TurnState, Actions]:
    if state.speech is None or event.until_input_ms < state.speech.words_until_ms:
        return state, ()
    news = replace(state.speech, text=event.text, words_until_ms=event.until_input_ms, turn_end_probability=event.turn_end_probability)
    return _judge(replace(state, speech=news), now_ms)


def _tick(state: TurnState, now_ms: float) -> tuple[TurnState, Actions]:
    if state.speech is not None:  # the client may have stopped sending
        return _judge(state, now_ms)
    timeout, since = state.rules.idle_timeout_ms, state.quiet_since_ms
    if timeout is None or since is None or state.response != "none" or now_ms - since < timeout:
        return state, ()
    return replace(state, quiet_since_ms=None), (IdleTimeout(state.quiet_input_ms, state.input_ms),)


def _response_ended(state: TurnState, now_ms: float) -> tuple[TurnState, Actions]:
    actions: Actions = (Resume(),) if state.held_since_ms is not None else ()
    state = replace(state, response="none", held_since_ms=None, quiet_since_ms=now_ms, quiet_input_ms=state.input_ms)
    if state.speech is None or state.speech.announced or state.speech.dismissed:
        return state, actions
    announced = replace(state, speech=replace(state.speech, announced=True))
    return announced, (*actions, AnnounceSpeech(_padded(state, state.speech.start_input_ms)))


def _without_speech(state: TurnState) -> tuple[TurnState, Actions]:
    actions: Actions = (Resume(),) if state.held_since_ms is not None else ()
    return replace(state, speech=None, onset_input_ms=None, held_since_ms=None), actions


def _judge(state: TurnState, now_ms: float) -> tuple[TurnState, Actions]:
    """UserSpeech is going on, or has just stopped: what is it?"""
    if state.speech is None:
        return state, ()
    state, asks = _ask_at_pause(state)
    if state.held_since_ms is not None:
        state, actions = _judge_held(state, now_ms - state.held_since_ms)
    elif state.speech and state.speech.dismissed:
        state, actions = _judge_dismissed(state)
    else:
        state, actions = _judge_end(state)
    return state, asks + actions


def _ask_at_pause(state: TurnState) -> tuple[TurnState, Actions]:
    assert state.speech
    if state.speech.asked or _silence_ms(state) < PAUSE_MS or state.speech.words_until_ms >= state.speech.voiced_until_ms:
        return state, ()
    return replace(state, speech=replace(state.speech, asked=True)), (AskWords(),)


def _judge_held(state: TurnState, held_ms: float) -> tuple[TurnState, Actions]:
    speech = state.speech
    assert speech
    lasting = speech.voiced_until_ms - speech.start_input_ms >= BARGE_IN_MS
    talking, says_something = _silence_ms(state) < PAUSE_MS, not is_backchannel(speech.text)
    if lasting and says_something:
        return _interrupt(state)
    if not talking and (not lasting or speech.words_until_ms >= speech.voiced_until_ms):
        return _resume(state)
    if held_ms < MAX_HOLD_MS:
        return state, ()
    # Nine tenths of a second of voice without words known is a user who wants the floor.
    return _interrupt(state) if talking and lasting and not speech.text else _resume(state)


def _judge_dismissed(state: TurnState) -> tuple[TurnState, Actions]:
    assert state.speech
    if state.response != "none" and not is_backchannel(state.speech.text):
        return _interrupt(state)
    if _silence_ms(state) < PAUSE_MS:
        return state, ()
    return replace(state, speech=None), (DropUtterance(),)


def _judge_end(state: TurnState) -> tuple[TurnState, Actions]:
    speech, rules = state.speech, state.rules
    assert speech
    silence_ms = _silence_ms(state)
    ended = silence_ms >= rules.max_silence_ms or speech.voiced_until_ms - speech.start_input_ms >= MAX_UTTERANCE_MS
    sounds_over = (
        rules.required_probability is not None
        and silence_ms >= PAUSE_MS
        and speech.words_until_ms >= speech.voiced_until_ms
        and (speech.turn_end_probability or 0.0) >= rules.required_probability
    )
    if not ended and not sounds_over:
        return state, ()
    respond = rules.creates_response and state.response == "none"
    return replace(state, speech=None), (EndTurn(speech.voiced_until_ms, respond),)


def _interrupt(state: TurnState) -> tuple[TurnState, Actions]:
    assert state.speech
    speech = replace(state.speech, announced=True, dismissed=False)
    cut = replace(state, speech=speech, response="none", held_since_ms=None, quiet_since_ms=None)
    return cut, (AnnounceSpeech(_padded(state, speech.start_input_ms)), Interrupt())


def _resume(state: TurnState) -> tuple[TurnState, Actions]:
    assert state.speech
    if _silence_ms(state) >= PAUSE_MS:
        return replace(state, speech=None, held_since_ms=None), (DropUtterance(), Resume())
    return replace(state, speech=replace(state.speech, dismissed=True), held_since_ms=None), (Resume(),)


def _silence_ms(state: TurnState) -> int:
    return state.input_ms - state.speech.voiced_until_ms if state.speech else 0


def _padded(state: TurnState, start_input_ms: int) -> int:
    return max(start_input_ms - state.rules.prefix_padding_ms, 0)
