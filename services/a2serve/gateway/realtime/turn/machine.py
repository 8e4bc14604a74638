"""Whose turn is it? A pure state machine: `step(state, event, now_ms) -> (state, actions)`. No I/O, no clock of its own.

Two clocks: `*_input_ms` counts the audio the user sent; `now_ms` is the session's own monotonic time. States:

    idle -> listening -> thinking -> speaking
                             \\        /
                               held        somebody speaks over us: nothing is sent until we know what it is

A voice over the avatar is first a Hold. It becomes an Interrupt when it lasts and says something, a Resume when it was a
cough or a "mhm". `speech_started` goes out only when the voice is believed, since clients flush their player on it.
"""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from a2serve.contracts.session_config import SemanticVad, ServerVad
from a2serve.gateway.hearing.backchannel import is_backchannel

ONSET_MS = 64  # two windows: one alone is often a click
CONTINUE_MARGIN = 0.15  # Silero's own hysteresis: speech goes on at a lower probability than it begins
BARGE_IN_MS = 300
MAX_HOLD_MS = 900
PAUSE_MS = 200  # a silence worth a question to the model
MAX_UTTERANCE_MS = 120_000
REQUIRED_PROBABILITY = {"low": 0.7, "medium": 0.5, "high": 0.3}
MAX_WAIT_MS = {"low": 8000, "medium": 4000, "high": 2000}  # as the GA API documents them

Phase: TypeAlias = Literal["idle", "listening", "thinking", "speaking", "held"]


@dataclass(frozen=True, slots=True)
class TurnRules:
    """How turns are found. `off`: the client decides; `required_probability` is None where silence alone decides."""

    off: bool = False
    threshold: float = 0.5
    prefix_padding_ms: int = 300
    max_silence_ms: int = 500
    required_probability: float | None = None
    idle_timeout_ms: int | None = None
    creates_response: bool = True
    interrupts: bool = True


def rules_of(detection: ServerVad | SemanticVad | None) -> TurnRules:
    """The rules that a session's `turn_detection` stands for."""
    if detection is None:
        return TurnRules(off=True)
    common = TurnRules(creates_response=detection.create_response, interrupts=detection.interrupt_response)
    if isinstance(detection, SemanticVad):
        eagerness = "medium" if detection.eagerness == "auto" else detection.eagerness
        return replace(common, required_probability=REQUIRED_PROBABILITY[eagerness], max_silence_ms=MAX_WAIT_MS[eagerness])
    return replace(
        common,
        threshold=detection.threshold,
        prefix_padding_ms=detection.prefix_padding_ms,
        max_silence_ms=detection.silence_duration_ms,
        idle_timeout_ms=detection.idle_timeout_ms,
    )


# --- what happens ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Voice:
    """One window of input audio and the probability that it holds the user's voice (0 for our own echo)."""

    probability: float
    start_input_ms: int
    end_input_ms: int


@dataclass(frozen=True, slots=True)
class Words:
    """The running transcript of the current speech, covering the input up to `until_input_ms`."""

    text: str
    until_input_ms: int
    turn_end_probability: float | None = None


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """A response for the conversation was created; nothing is heard yet."""


@dataclass(frozen=True, slots=True)
class ReplySpeaking:
    """Its first sound was sent."""


@dataclass(frozen=True, slots=True)
class ReplyEnded:
    """It was played to its end, failed, or was cancelled by the client."""


@dataclass(frozen=True, slots=True)
class InputTaken:
    """The client committed or cleared the input buffer itself."""


@dataclass(frozen=True, slots=True)
class Configured:
    """The session's rules changed."""

    rules: TurnRules


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed."""


TurnEvent: TypeAlias = Voice | Words | ReplyStarted | ReplySpeaking | ReplyEnded | InputTaken | Configured | Tick


# --- what to do ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BeginUtterance:
    """Keep the input from here on; not announced yet."""

    start_input_ms: int


@dataclass(frozen=True, slots=True)
class DropUtterance:
    """It was nothing: forget what was kept."""


@dataclass(frozen=True, slots=True)
class AnnounceSpeech:
    """Send speech_started."""

    start_input_ms: int


@dataclass(frozen=True, slots=True)
class AskWords:
    """A pause: ask for words and for the probability that the turn is over."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Send nothing more of the response until Resume or Interrupt."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on where the response was held."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Cancel the response; what was not played was not said."""


@dataclass(frozen=True, slots=True)
class EndTurn:
    """Send speech_stopped and commit the utterance; answer it if `respond`."""

    end_input_ms: int
    respond: bool


@dataclass(frozen=True, slots=True)
class IdleTimeout:
    """Nobody spoke for long: commit silence and say something."""

    start_input_ms: int
    end_input_ms: int


TurnAction: TypeAlias = BeginUtterance | DropUtterance | AnnounceSpeech | AskWords | Hold | Resume | Interrupt | EndTurn | IdleTimeout
Actions: TypeAlias = tuple[TurnAction, ...]


# --- where we are ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Speech:
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
    """Everything the machine remembers."""

    rules: TurnRules = TurnRules()
    input_ms: int = 0
    onset_input_ms: int | None = None
    speech: Speech | None = None
    reply: Literal["none", "thinking", "speaking"] = "none"
    held_since_ms: float | None = None
    quiet_since_ms: float | None = None
    quiet_input_ms: int = 0

    @property
    def phase(self) -> Phase:
        """The state in one word."""
        if self.held_since_ms is not None:
            return "held"
        if self.reply != "none":
            return self.reply
        return "listening" if self.speech else "idle"


def step(state: TurnState, event: TurnEvent, now_ms: float) -> tuple[TurnState, Actions]:
    """The next state and what to do, in order."""
    match event:
        case Voice():
            return _voice(state, event, now_ms)
        case Words():
            return _words(state, event, now_ms)
        case Tick():
            return _tick(state, now_ms)
        case ReplyStarted():
            return replace(state, reply="thinking", quiet_since_ms=None), ()
        case ReplySpeaking():
            return (replace(state, reply="speaking") if state.reply != "none" else state), ()
        case ReplyEnded():
            return _reply_ended(state, now_ms)
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
    held = state.reply != "none" and state.rules.interrupts
    state = replace(state, onset_input_ms=None, speech=Speech(start, event.end_input_ms, announced=not held), quiet_since_ms=None)
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
    if timeout is None or since is None or state.reply != "none" or now_ms - since < timeout:
        return state, ()
    return replace(state, quiet_since_ms=None), (IdleTimeout(state.quiet_input_ms, state.input_ms),)


def _reply_ended(state: TurnState, now_ms: float) -> tuple[TurnState, Actions]:
    actions: Actions = (Resume(),) if state.held_since_ms is not None else ()
    state = replace(state, reply="none", held_since_ms=None, quiet_since_ms=now_ms, quiet_input_ms=state.input_ms)
    if state.speech is None or state.speech.announced or state.speech.dismissed:
        return state, actions
    announced = replace(state, speech=replace(state.speech, announced=True))
    return announced, (*actions, AnnounceSpeech(_padded(state, state.speech.start_input_ms)))


def _without_speech(state: TurnState) -> tuple[TurnState, Actions]:
    actions: Actions = (Resume(),) if state.held_since_ms is not None else ()
    return replace(state, speech=None, onset_input_ms=None, held_since_ms=None), actions


def _judge(state: TurnState, now_ms: float) -> tuple[TurnState, Actions]:
    """Speech is going on, or has just stopped: what is it?"""
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
    # Nine tenths of a second of voice without words known is somebody who wants the floor.
    return _interrupt(state) if talking and lasting and not speech.text else _resume(state)


def _judge_dismissed(state: TurnState) -> tuple[TurnState, Actions]:
    assert state.speech
    if state.reply != "none" and not is_backchannel(state.speech.text):
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
    respond = rules.creates_response and state.reply == "none"
    return replace(state, speech=None), (EndTurn(speech.voiced_until_ms, respond),)


def _interrupt(state: TurnState) -> tuple[TurnState, Actions]:
    assert state.speech
    speech = replace(state.speech, announced=True, dismissed=False)
    cut = replace(state, speech=speech, reply="none", held_since_ms=None, quiet_since_ms=None)
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
