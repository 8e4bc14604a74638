"""A response that runs in a replica: the request, its reader's mailbox, and the engine's response, with its time and its cost."""

from dataclasses import replace
from uuid import uuid4

from a2llm.engine import Response
from a2llm.messages import AppendRequest, Done, ResponseRequest, StepOutput, Timings
from a2serve.inference.mailbox import Mailbox
from a2serve.inference.pace import Progress

LONGEST_SILENCE_S = 30.0  # without a given word: then the response ends


class RunningResponse:
    """Made when the engine has begun the response."""

    def __init__(self, request: ResponseRequest, mailbox: Mailbox, response: Response, sample_rate_hz: int) -> None:
        self._request, self._mailbox, self._response, self._rate_hz = request, mailbox, response, sample_rate_hz
        self._compute_s = 0.0
        self._late_s = 0.0  # for which the listener had nothing left, since given words were late
        self._words_s = mailbox.opened_s  # when given words came last
        self._start_s = 0.0  # of the engine's time until its first sound, shared with those that began beside it

    @property
    def session_id(self) -> str:
        return self._request.session_id

    def is_response(self, session_id: str, response_id: str) -> bool:
        """Whether it is this one."""
        return (self._request.session_id, self._request.response_id) == (session_id, response_id)

    @property
    def mailbox(self) -> Mailbox:
        return self._mailbox

    @property
    def response(self) -> Response:
        return self._response

    @property
    def unread(self) -> int:
        """Outputs that its reader has not taken."""
        return self._mailbox.unread

    @property
    def waits(self) -> bool:
        """Its first sound has not left."""
        return self._response.marks.first_audio_s is None

    @property
    def waits_for_words(self) -> bool:
        """Can say nothing before more given words come."""
        return self._response.waits_for_words

    @property
    def start_s(self) -> float:
        """The engine's time until its first sound."""
        return self._start_s

    def progress(self, now_s: float) -> Progress:
        """How it is doing, for the pace."""
        media, began_s = self._response.media, self._response.marks.first_audio_s
        made_s = (media.samples - media.delivered_samples) / self._rate_hz
        if not self._response.speaks:
            return Progress(made_s, None)
        if began_s is None:
            return Progress(made_s, 0.0, now_s - self._words_s)
        return Progress(made_s, made_s - (now_s - began_s - self._late_s), burst=self._request.burst)

    def words_due_s(self, now_s: float) -> float:
        """How long it may still wait for given words."""
        return self._words_s + LONGEST_SILENCE_S - now_s

    def append(self, request: AppendRequest, now_s: float) -> int:
        """More of its given words. What its listener lacked until now is no lead that it has lost. Raises ValueError."""
        waited, began_s = self.waits_for_words, self._response.marks.first_audio_s
        received = self._response.append(request.text, request.offset, request.over)
        self._words_s = now_s
        if waited and began_s is not None and (lead_s := self.progress(now_s).lead_s) is not None:
            self._late_s += max(0.0, -lead_s)
        return received

    def note_step(self, took_s: float) -> None:
        """A step of the engine in which it took part."""
        self._compute_s += took_s

    def note_start(self, share_s: float) -> None:
        """Its share of a step before its first sound."""
        self._start_s += share_s

    def output(self, made: StepOutput) -> StepOutput:
        """Adds to the engine's output what only a replica knows: the name of a call, and at the end the time that all of it took."""
        if not made.last:
            return made
        call = replace(made.function_call, call_id=f"call_{uuid4().hex[:20]}") if made.function_call else None
        return replace(made, function_call=call, done=self.done())

    def done(self) -> Done:
        """How it ended, and all that it said."""
        response = self._response
        return Done(response.finish_reason, " ".join(response.words_emitted), response.usage, self._timings())

    def _timings(self) -> Timings:
        marks = self._response.marks
        return Timings(
            self._since_ms(marks.admitted_s),
            self._since_ms(marks.prefill_done_s),
            self._since_ms(marks.first_token_s),
            self._since_ms(marks.first_audio_s),
            self._compute_s * 1000,
        )

    def _since_ms(self, at_s: float | None) -> float:
        """Time since the request arrived; 0 for what has not come."""
        return 0.0 if at_s is None else (at_s - self._mailbox.opened_s) * 1000
