"""The `openai` package's own Realtime client, unmodified, and the real product: speech, a function, an interruption, a cut.

Protocol details are proven against a scripted model in integration/test_realtime_stock_client.py; here real speech is understood,
real speech comes back, and arguments are those of a real model.
"""

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import jsonschema
import numpy as np
import pytest
from bench.realtime_client import CHUNK_S, CHUNK_SAMPLES, RATE_HZ, spoken_question
from bench.service import Service
from e2e.understanding import understood
from openai import AsyncOpenAI
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

GA_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
WAIT_S = 60.0  # a busy machine
STORY, MOST_STORIES = "Tell me a long story about a lighthouse.", 4
SILENCE_S = 0.7  # longer than the turn detection waits
WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells the weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "minLength": 1}, "unit": {"enum": ["celsius", "fahrenheit"]}},
        "required": ["city", "unit"],
        "additionalProperties": False,
    },
}


class Talk:
    """A conversation through the stock client; keeps every event and checks that the client's own types know it."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.events: list[tuple[float, Any]] = []
        self._came = asyncio.Condition()

    async def read(self) -> None:
        async for event in self.connection:
            GA_EVENT.validate_python(event.to_dict())
            async with self._came:
                self.events.append((time.monotonic(), event))
                self._came.notify_all()

    async def next(self, kind: str, after: int = 0, **fields: str) -> Any:
        """The first event of a type with these fields among those from `after` on."""
        async with asyncio.timeout(WAIT_S), self._came:
            while not (found := self.of(kind, after, **fields)):
                await self._came.wait()
            return found[0]

    async def done(self, count: int, after: int) -> list[Any]:
        """The first `count` response.done from `after` on."""
        async with asyncio.timeout(WAIT_S), self._came:
            while len(found := self.of("response.done", after)) < count:
                await self._came.wait()
            return found[:count]

    def of(self, kind: str, after: int = 0, **fields: str) -> list[Any]:
        here = [event for _, event in self.events[after:] if event.type == kind]
        return [event for event in here if all(getattr(event, name) == value for name, value in fields.items())]

    def at_s(self, event: Any) -> float:
        return next(at_s for at_s, known in self.events if known is event)

    async def hear(self, sound: np.ndarray, *, real_pace: bool = False) -> float:
        """Say `sound` (int16 at 24 kHz) and be silent; returns when its last sample was sent (time.monotonic())."""
        started_s = time.monotonic()
        silence = np.zeros(round(SILENCE_S * RATE_HZ), np.int16)
        said_s = started_s
        for number, at in enumerate(range(0, len(sound) + len(silence), CHUNK_SAMPLES)):
            chunk = np.concatenate([sound, silence])[at : at + CHUNK_SAMPLES].astype("<i2")
            if real_pace:
                await asyncio.sleep(max(0.0, started_s + number * CHUNK_S - time.monotonic()))
            await self.connection.input_audio_buffer.append(audio=base64.b64encode(chunk.tobytes()).decode())
            said_s = time.monotonic() if at < len(sound) else said_s
        return said_s

    async def played(self, response_id: str) -> None:
        """Until a player would have played it to its end."""
        deltas = self.of("response.output_audio.delta", response_id=response_id)
        await asyncio.sleep(self.at_s(deltas[0]) + len(pcm_of(deltas)) / RATE_HZ - time.monotonic())


def pcm_of(deltas: list[Any]) -> np.ndarray:
    return np.frombuffer(b"".join(base64.b64decode(delta.delta) for delta in deltas), "<i2")


def run(product: Service, scene: Callable[[Talk], Awaitable[None]]) -> Talk:
    """Open the socket as the documentation of `openai` says, play the scene, close."""

    async def within() -> Talk:
        client = AsyncOpenAI(api_key=product.key, base_url=f"{product.url}/v1", max_retries=0)
        async with client, client.realtime.connect(model="gpt-realtime") as connection, asyncio.TaskGroup() as tasks:
            talk = Talk(connection)
            reading = tasks.create_task(talk.read())
            await scene(talk)
            reading.cancel()
        return talk

    return asyncio.run(within())


async def configure(talk: Talk, **session: Any) -> None:
    await talk.next("session.created")
    transcription: Any = {"input": {"transcription": {"model": "whisper-1"}}}
    await talk.connection.session.update(session={"type": "realtime", "audio": transcription, **session})
    await talk.next("session.updated")


async def ask_aloud(talk: Talk, name: str) -> Any:
    """A recorded question and its whole answer, which is checked; returns response.done."""
    before = len(talk.events)
    said_s = await talk.hear(spoken_question(name))
    heard = await talk.next("conversation.item.input_audio_transcription.completed", before)
    done = await talk.next("response.done", before)
    assert understood(heard.transcript, name), heard.transcript
    deltas = talk.of("response.output_audio.delta", before)
    pcm = pcm_of(deltas)
    assert np.sqrt(np.mean((pcm / 32768) ** 2)) > 0.01 and len(pcm) > RATE_HZ / 2
    spoken = "".join(delta.delta for delta in talk.of("response.output_audio_transcript.delta", before))
    assert spoken and spoken == done.response.output[0].content[0].transcript
    print(f"{name}: TTFA {1000 * (talk.at_s(deltas[0]) - said_s):.0f} ms; heard {heard.transcript!r}; said {spoken!r}")
    return done


async def use_the_function(talk: Talk) -> None:
    before = len(talk.events)
    question: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What is the weather in Paris?"}]}
    await talk.connection.conversation.item.create(item=question)
    await talk.connection.response.create(response={"tools": [WEATHER], "tool_choice": "required"})
    done = await talk.next("response.done", before)
    call = next(item for item in done.response.output if item.type == "function_call")
    arguments = json.loads(call.arguments)
    jsonschema.validate(arguments, WEATHER["parameters"])
    print(f"function: {call.name}({call.arguments})")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": json.dumps({"sky": "sunny", "degrees": 21})}
    await talk.connection.conversation.item.create(item=result)
    before = len(talk.events)
    await talk.connection.response.create()
    done = await talk.next("response.done", before)
    assert talk.of("response.output_audio.delta", before) and done.response.status == "completed"
    print(f"after the function: {done.response.output[0].content[0].transcript!r}")
    await talk.played(done.response.id)


async def interrupt_it(talk: Talk, question: str) -> Any:
    """Ask for a story, speak over it; returns response.done of the answer to what was said over it. Some stories are short."""
    for _ in range(MOST_STORIES):
        before = len(talk.events)
        story: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": STORY}]}
        await talk.connection.conversation.item.create(item=story)
        await talk.connection.response.create()
        first = await talk.next("response.output_audio.delta", before)
        await asyncio.sleep(max(0.0, talk.at_s(first) + 0.8 - time.monotonic()))
        spoke_s = time.monotonic()
        await talk.hear(spoken_question(question), real_pace=True)
        ended, answered = await talk.done(2, before)
        if ended.response.status == "cancelled":
            check_silence(talk, first, ended, spoke_s)
            heard = await talk.next("conversation.item.input_audio_transcription.completed", before)
            assert understood(heard.transcript, question), heard.transcript
            await unsay(talk, first.item_id)
            return answered
    raise AssertionError("no story was long enough to be interrupted")


def check_silence(talk: Talk, first: Any, ended: Any, spoke_s: float) -> None:
    assert ended.response.id == first.response_id and ended.response.status_details.reason == "turn_detected"
    last_s = talk.at_s(talk.of("response.output_audio.delta", response_id=first.response_id)[-1])
    assert last_s <= talk.at_s(ended)
    print(f"barge-in: the last packet {1000 * (last_s - spoke_s):.0f} ms after the first word")


async def unsay(talk: Talk, item_id: str) -> None:
    """A client may know better how much was heard: the conversation keeps no more than that."""
    before = len(talk.events)
    await talk.connection.conversation.item.truncate(item_id=item_id, content_index=0, audio_end_ms=0)
    assert (await talk.next("conversation.item.truncated", before)).audio_end_ms == 0
    await talk.connection.conversation.item.retrieve(item_id=item_id)
    assert not (await talk.next("conversation.item.retrieved", before)).item.content[0].transcript


@pytest.fixture
def beside_the_other_client(request: pytest.FixtureRequest) -> None:
    """The stock client for Node.js talks at the same time, where it can be had; neither is to notice."""
    with suppress(pytest.skip.Exception):
        request.getfixturevalue("sdk_talk")


@pytest.mark.usefixtures("beside_the_other_client")
def test_a_conversation(product: Service) -> None:
    async def scene(talk: Talk) -> None:
        await configure(talk)
        first = await ask_aloud(talk, "am_eric_00")
        assert first.response.status == "completed"
        await use_the_function(talk)
        last = await interrupt_it(talk, "af_sarah_00")
        print(f"after the interruption: {last.response.output[0].content[0].transcript!r}")
        assert last.response.status == "completed" and last.response.output[0].content[0].transcript
        assert last.response.usage.input_tokens > first.response.usage.input_tokens + 50  # it remembers

    talk = run(product, scene)
    assert not [event for _, event in talk.events if event.type == "error"]
    assert not [event.type for _, event in talk.events if event.type.startswith("a2.")]
