"""A Realtime client for measuring: when each event came, a microphone at real pace, a player that counts underruns. No SDK."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
from websockets.asyncio.client import ClientConnection, connect

RATE_HZ = 24_000
CHUNK_SAMPLES = 480  # 20 ms, as a browser's worklet sends
CHUNK_S = CHUNK_SAMPLES / RATE_HZ
PLAYER_BUFFER_S = 0.1  # what a player keeps before it begins
QUESTIONS = Path(__file__).parents[1] / "data" / "questions"
MOTION = {"rig": "arkit61", "fps": 30, "encoding": "f16_base64"}


@dataclass(frozen=True)
class Event:
    """One server event; `at_s` is time.monotonic() when it was received."""

    at_s: float
    body: dict[str, Any]

    @property
    def type(self) -> str:
        return self.body["type"]

    @property
    def response_id(self) -> str:
        return self.body.get("response_id") or self.body.get("response", {}).get("id", "")

    @property
    def is_media(self) -> bool:
        return self.type in ("response.output_audio.delta", "a2.motion.delta")


@dataclass
class Client:
    """One open socket. `events`: everything received, in order."""

    socket: ClientConnection
    events: list[Event] = field(default_factory=list)
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def send(self, kind: str, **fields: Any) -> float:
        """Returns time.monotonic() from just before it was sent."""
        at_s = time.monotonic()
        await self.socket.send(json.dumps({"type": kind, **fields}))
        return at_s

    async def until(self, found: Callable[[list[Event]], Any], timeout_s: float = 120.0) -> Any:
        """The first true result of `found(events)`. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s), self._came:
            while not (result := found(self.events)):
                await self._came.wait()
            return result

    async def first(self, kind: str, timeout_s: float = 120.0, response_id: str = "") -> Event:
        """The first event of a type (and response)."""
        wanted = lambda events: next((e for e in events if e.type == kind and response_id in ("", e.response_id)), None)  # noqa: E731
        return await self.until(wanted, timeout_s)

    async def ask(self, text: str, **settings: Any) -> tuple[str, float]:
        """A typed question: the response's id, and when it was asked for (time.monotonic()). `settings`: of the response."""
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        await self.send("conversation.item.create", item=item)
        before = len(self.events)
        asked_s = await self.send("response.create", response=settings)
        created = await self.until(lambda events: next((e for e in events[before:] if e.type == "response.created"), None))
        return created.response_id, asked_s

    def of(self, response_id: str) -> list[Event]:
        return [event for event in self.events if event.response_id == response_id]

    async def read(self) -> None:
        """Reads events until the socket closes."""
        async for frame in self.socket:
            event = Event(time.monotonic(), json.loads(frame))
            async with self._came:
                self.events.append(event)
                self._came.notify_all()


@asynccontextmanager
async def session(url: str, key: str, **a2: Any) -> AsyncIterator[Client]:
    """An open session with motion and server VAD; `a2`: further settings of the extension."""
    address = f"{url.replace('http', 'ws', 1)}/v1/realtime"
    headers = {"Authorization": f"Bearer {key}"}
    async with connect(address, additional_headers=headers, max_size=None, proxy=None, open_timeout=120) as socket:
        client = Client(socket)
        reading = asyncio.create_task(client.read())
        try:
            await client.first("session.created")
            await client.send("session.update", session={"type": "realtime", "a2": {"motion": MOTION, **a2}})
            await client.first("session.updated")
            yield client
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading


class Microphone:
    """Sends 20 ms chunks at real pace: room noise, and what is said into it. A task runs `run()`."""

    def __init__(self, client: Client) -> None:
        self._client, self._noise = client, np.random.default_rng(0)
        self._speech = np.zeros(0, np.int16)
        self._starting = False
        self.speech_started_s = 0.0
        self._quiet = asyncio.Event()

    def say(self, pcm: np.ndarray) -> None:
        """Speaks `pcm`, int16 [S] at 24 kHz, from the next chunk on."""
        self._speech, self._starting = pcm, True
        self._quiet.clear()

    async def said(self) -> None:
        """Returns when everything was sent."""
        await self._quiet.wait()

    async def run(self) -> None:
        next_s = time.monotonic()
        while True:
            chunk, began = self._chunk(), self._starting
            sent_s = await self._client.send("input_audio_buffer.append", audio=base64.b64encode(chunk.tobytes()).decode())
            if began:  # a microphone hands a chunk over when its last sample is in
                self.speech_started_s, self._starting = sent_s - CHUNK_S, False
            next_s += CHUNK_S
            await asyncio.sleep(max(0.0, next_s - time.monotonic()))

    def _chunk(self) -> np.ndarray:
        noise = self._noise.normal(0, 8, CHUNK_SAMPLES)
        speech, self._speech = self._speech[:CHUNK_SAMPLES], self._speech[CHUNK_SAMPLES:]
        if not len(self._speech):
            self._quiet.set()
        noise[: len(speech)] += speech
        return np.clip(noise, -32768, 32767).astype("<i2")


@asynccontextmanager
async def microphone(client: Client) -> AsyncIterator[Microphone]:
    """An open microphone."""
    made = Microphone(client)
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def spoken_questions() -> list[np.ndarray]:
    """The recorded questions, int16 [S] at 24 kHz, each from its first voiced chunk on."""
    return [spoken_question(path.stem) for path in sorted(QUESTIONS.glob("*.flac"))]


def spoken_question(name: str) -> np.ndarray:
    """One of them by its file's name without ending."""
    return _from_first_voice(_read(QUESTIONS / f"{name}.flac"))


def _read(path: Path) -> np.ndarray:
    sound, rate_hz = soundfile.read(path, dtype="float32")
    seconds = np.arange(round(len(sound) * RATE_HZ / rate_hz)) / RATE_HZ
    return (np.interp(seconds, np.arange(len(sound)) / rate_hz, sound) * 32767).astype(np.int16)


def _from_first_voice(pcm: np.ndarray) -> np.ndarray:
    """Cut before the first chunk within 30 dB of the loudest: files begin with silence that nobody would call speech."""
    chunks = pcm[: len(pcm) // CHUNK_SAMPLES * CHUNK_SAMPLES].reshape(-1, CHUNK_SAMPLES).astype(np.float64)
    loudness = np.sqrt((chunks**2).mean(axis=1))
    return pcm[int(np.argmax(loudness > loudness.max() * 10 ** (-30 / 20))) * CHUNK_SAMPLES :]


class Playback(NamedTuple):
    """How a player plays a response. ends_s: time.monotonic()."""

    underruns: int  # times it ran dry
    ends_s: float


def play(events: list[Event], buffer_s: float = 0.0) -> Playback:
    """The events of one response, by a player that begins so long after the first packet; without sound it ends with the last event."""
    count, ends_s = 0, 0.0
    for event in (e for e in events if e.type == "response.output_audio.delta"):
        if not ends_s:
            ends_s = event.at_s + buffer_s
        elif event.at_s > ends_s:
            count += 1
        length_s = len(base64.b64decode(event.body["delta"])) / 2 / RATE_HZ
        ends_s = max(ends_s, event.at_s) + length_s
    return Playback(count, ends_s or events[-1].at_s)
