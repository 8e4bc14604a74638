"""Continues a response at another replica after its own is lost: how far it came, and how long another one is looked for."""

import asyncio
import time
from dataclasses import dataclass, field, replace

from a2llm.messages import Affect, Done, Packet, ResponseRequest, Resume, Timings
from a2serve.contracts.problems import Code, Problem

PATIENCE_S = 20.0  # a host that has to load its model again takes about twelve
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 0.4
MOST_LOSSES = 3  # of one response; it may be what kills them


class ReplicaLost(Problem):
    """It is gone, or takes nothing new: another one may answer."""

    def __init__(self, detail: str) -> None:
        super().__init__(Code.UNAVAILABLE, detail)


@dataclass
class Progress:
    """Progress of a response. `add` sees every packet, `rest` is what is still to be requested."""

    request: ResponseRequest
    asked_s: float = field(default_factory=time.perf_counter)
    packets: int = 0  # that came
    losses: int = 0
    _tokens: list[int] = field(default_factory=list[int])
    _words: int = 0
    _samples: int = 0
    _affect: Affect | None = None
    _first_audio_ms: float = 0.0

    def __post_init__(self) -> None:
        if resume := self.request.options.resume:
            self._tokens, self._words, self._samples = list(resume.tokens), resume.words, resume.samples
            self._affect = resume.affect

    @property
    def begun(self) -> bool:
        """True if a part of it was delivered."""
        return self.packets > 0 or self.request.options.resume is not None

    def rest(self) -> ResponseRequest:
        """The request for it, in the mood in which it began."""
        if not self.packets:
            return self.request
        resume = Resume(tuple(self._tokens), self._words, self._samples, self._affect)
        return replace(self.request, options=replace(self.request.options, resume=resume))

    def add(self, packet: Packet) -> Packet:
        """The packet as the response's reader is to have it."""
        self.packets += 1
        self._tokens += packet.tokens
        self._words += len(packet.text.split(" ")) if packet.text else 0
        if packet.pcm16:
            self._first_audio_ms = self._first_audio_ms or (time.perf_counter() - self.asked_s) * 1000
            self._samples = packet.pts_samples + len(packet.pcm16) // 2
        self._affect = self._affect or packet.affect
        return replace(packet, done=self._whole(packet.done)) if packet.done and self.losses else packet

    def lose(self, problem: Problem) -> None:
        """The replica is gone. Raises `problem` when that has happened too often."""
        self.losses += 1
        if self.losses >= MOST_LOSSES:
            raise problem

    def _whole(self, done: Done) -> Done:
        """How long the beginning took is known from here alone; the rest of it went with the replica. Usage is of the whole anyway."""
        return replace(done, timings=Timings(first_audio_ms=self._first_audio_ms, compute_ms=done.timings.compute_ms))


class Search:
    """For a replica that answers: `places` tries at once, then with pauses for as long as `patience_s` says."""

    def __init__(self, places: int, patience_s: float) -> None:
        self._places, self._patience_s = places, patience_s
        self._began_s, self._tries = time.monotonic(), 0

    @property
    def last(self) -> bool:
        """The next try is the last one that costs no waiting."""
        return self._tries + 1 >= self._places

    async def another(self, problem: Problem) -> None:
        """Returns when it is time to ask the next one. Raises `problem` when it is not worth it any more."""
        self._tries += 1
        beyond = self._tries - self._places
        if beyond < 0:
            return
        if time.monotonic() - self._began_s >= self._patience_s:
            raise problem
        await asyncio.sleep(min(FIRST_PAUSE_S * 2**beyond, LONGEST_PAUSE_S))
