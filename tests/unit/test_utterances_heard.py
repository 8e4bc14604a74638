"""Utterances on their way to inference: each sample once, again where a replica does not know them, and one call at a time."""

import asyncio
from collections.abc import Callable

import pytest

from a2llm.messages import ListenRequest, ListenResult, UtteranceUnknown
from a2serve.contracts.media_clock import BYTES_PER_MS
from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.hearing.input_audio import Utterance
from a2serve.gateway.hearing.listening import CHUNK_MS, Ears


class Replica:
    """Hears by a script: what to raise at which call; `busy` is the number of calls at once."""

    def __init__(self, faults: dict[int, Exception] | None = None) -> None:
        self.requests: list[ListenRequest] = []
        self.faults, self.busy, self.most = faults or {}, 0, 0

    async def listen(self, request: ListenRequest) -> ListenResult:
        self.busy += 1
        self.most = max(self.most, self.busy)
        await asyncio.sleep(0)
        self.busy -= 1
        self.requests.append(request)
        if fault := self.faults.get(len(self.requests)):
            raise fault
        return ListenResult(utterance_id=request.utterance_id, transcript=f"{len(self.requests)} calls")


def ears(replica: Replica, current: Callable[[], Utterance | None]) -> Ears:
    return Ears(replica, "sess_1", current, said_before=lambda: "Hello.")


def spoken(ms: int, start_ms: int = 100) -> Utterance:
    return Utterance("utt_1", start_ms, bytearray(ms * BYTES_PER_MS))


def run(scene) -> None:
    asyncio.run(asyncio.wait_for(scene(), 20))


def test_what_has_grown_is_sent_once() -> None:
    async def scene() -> None:
        replica, utterance = Replica(), spoken(CHUNK_MS)
        mine = ears(replica, lambda: utterance)
        heard: list[tuple[str, int]] = []
        task = asyncio.create_task(mine.run(lambda _, result, until_ms: heard.append((result.transcript, until_ms))))
        mine.audio_arrived()
        while len(heard) < 1:
            await asyncio.sleep(0)
        utterance.pcm16 += bytes((CHUNK_MS - 1) * BYTES_PER_MS)
        mine.audio_arrived()  # not enough yet
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(replica.requests) == 1
        mine.ask_words()  # a pause wants words, however little is new
        while len(heard) < 2:
            await asyncio.sleep(0)
        task.cancel()
        sizes = [(request.offset_samples, len(request.pcm16) // BYTES_PER_MS, request.words_now) for request in replica.requests]
        assert sizes == [(0, CHUNK_MS, False), (CHUNK_MS * BYTES_PER_MS // 2, CHUNK_MS - 1, True)]
        assert heard == [("1 calls", 100 + CHUNK_MS), ("2 calls", 100 + 2 * CHUNK_MS - 1)]
        assert {request.last_assistant_text for request in replica.requests} == {"Hello."}

    run(scene)


def test_a_replica_that_does_not_know_the_utterance_gets_all_of_it() -> None:
    async def scene() -> None:
        replica, utterance = Replica({2: UtteranceUnknown("who?")}), spoken(300)
        mine = ears(replica, lambda: utterance)
        await mine._hear(utterance, final=False, words_now=True)
        utterance.pcm16 += bytes(100 * BYTES_PER_MS)
        result = await mine.finish(utterance)
        assert result.transcript == "3 calls"
        offsets = [(request.offset_samples, len(request.pcm16) // BYTES_PER_MS, request.final) for request in replica.requests]
        assert offsets == [(0, 300, False), (300 * BYTES_PER_MS // 2, 100, True), (0, 400, True)]

    run(scene)


def test_inference_that_never_knows_it_is_a_problem() -> None:
    async def scene() -> None:
        replica, utterance = Replica({1: UtteranceUnknown("who?"), 2: UtteranceUnknown("who?")}), spoken(300)
        with pytest.raises(Problem) as raised:
            await ears(replica, lambda: utterance).finish(utterance)
        assert raised.value.code == Code.UNAVAILABLE

    run(scene)


def test_half_a_sample_waits_and_calls_wait_for_each_other() -> None:
    async def scene() -> None:
        replica, utterance = Replica(), spoken(300)
        utterance.pcm16 += b"\x01"
        mine = ears(replica, lambda: utterance)
        await asyncio.gather(mine.finish(utterance), mine._hear(utterance, final=False, words_now=True))
        assert len(replica.requests[0].pcm16) == 300 * BYTES_PER_MS and replica.requests[1].pcm16 == b""
        assert replica.most == 1

    run(scene)


def test_words_of_an_utterance_that_has_ended_meanwhile_are_not_told() -> None:
    async def scene() -> None:
        current: list[Utterance | None] = [spoken(CHUNK_MS)]

        class EndsMeanwhile(Replica):
            async def listen(self, request: ListenRequest) -> ListenResult:
                current[0] = None
                return await super().listen(request)

        replica, shown = EndsMeanwhile(), []
        mine = ears(replica, lambda: current[0])
        task = asyncio.create_task(mine.run(lambda *args: shown.append(args)))
        mine.ask_words()
        while not replica.requests:
            await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
        assert shown == []

    run(scene)
