"""Feeds utterances to inference as they grow, and fetches their words. One call at a time per session."""

import asyncio
from collections.abc import Callable

from a2llm.messages import ListenRequest, ListenResult, UtteranceUnknown
from a2serve.contracts.media_clock import BYTES_PER_MS
from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.hearing.input_audio import Utterance
from a2serve.gateway.model_client.interface import InferenceClient

CHUNK_MS = 240
RETRY_PAUSE_S = 1.0


class Ears:
    """Sends one session's utterances to inference. `current()` is the utterance that grows now, `said_before()` the avatar's last words."""

    def __init__(
        self,
        inference: InferenceClient,
        session_id: str,
        current: Callable[[], Utterance | None],
        said_before: Callable[[], str],
    ) -> None:
        self._inference, self._session_id = inference, session_id
        self._current, self._said_before = current, said_before
        self._one_at_a_time = asyncio.Lock()
        self._wake = asyncio.Event()
        self._words_now = False

    def audio_arrived(self) -> None:
        """More of the current utterance is there."""
        utterance = self._current()
        if utterance and utterance.unsent_ms >= CHUNK_MS:
            self._wake.set()

    def ask_words(self) -> None:
        """A pause: words are wanted now."""
        self._words_now = True
        self._wake.set()

    async def run(self, on_heard: Callable[[Utterance, ListenResult, int], None]) -> None:
        """Runs until cancelled, and calls `on_heard(utterance, heard, until_input_ms)` for each running transcript.

        If inference cannot be reached, it is asked again later; the final call reports the error to the client.
        """
        while True:
            await self._wake.wait()
            self._wake.clear()
            utterance, words_now, self._words_now = self._current(), self._words_now, False
            if utterance is None or not (words_now or utterance.unsent_ms):
                continue
            try:
                heard, until_input_ms = await self._hear(utterance, final=False, words_now=words_now)
            except Problem:
                await asyncio.sleep(RETRY_PAUSE_S)
                continue
            if self._current() is utterance:
                on_heard(utterance, heard, until_input_ms)

    async def finish(self, utterance: Utterance) -> ListenResult:
        """The final words of an utterance. Raises Problem."""
        return (await self._hear(utterance, final=True, words_now=True))[0]

    async def _hear(self, utterance: Utterance, *, final: bool, words_now: bool) -> tuple[ListenResult, int]:
        async with self._one_at_a_time:
            try:
                return await self._send(utterance, final, words_now)
            except UtteranceUnknown:
                utterance.sent_bytes = 0  # another replica has the session now
            try:
                return await self._send(utterance, final, words_now)
            except UtteranceUnknown:
                raise Problem(Code.UNAVAILABLE, "inference does not take the utterance") from None

    async def _send(self, utterance: Utterance, final: bool, words_now: bool) -> tuple[ListenResult, int]:
        start, end = utterance.sent_bytes, len(utterance.pcm16) // 2 * 2
        audio = ListenRequest(
            session_id=self._session_id,
            utterance_id=utterance.id,
            offset_samples=start // 2,
            pcm16=bytes(utterance.pcm16[start:end]),
            final=final,
            words_now=words_now,
            last_assistant_text=self._said_before(),
        )
        heard = await self._inference.listen(audio)
        utterance.sent_bytes = end
        return heard, utterance.start_input_ms + end // BYTES_PER_MS
