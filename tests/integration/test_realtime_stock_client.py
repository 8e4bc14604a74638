"""The `openai` package's own Realtime client, unmodified, talks to us: speech, a function call, an interruption, a cut."""

import asyncio
import base64
import json
from typing import Any

from openai import AsyncOpenAI
from support.servers.realtime import Script, run, silence, speech, standing

TOOL = {"type": "function", "name": "clock", "description": "tells the time", "parameters": {"type": "object", "properties": {}}}


async def until(connection: Any, kind: str, seen: list[Any]) -> Any:
    async with asyncio.timeout(30):
        while True:
            event = await connection.recv()
            seen.append(event)
            if event.type == kind:
                return event
            assert event.type != "error", event


async def say(connection: Any, sound: bytes) -> None:
    for at in range(0, len(sound), 4800):
        await connection.input_audio_buffer.append(audio=base64.b64encode(sound[at : at + 4800]).decode())


def test_a_whole_conversation():
    async def scene() -> None:
        script = Script(packets=6, running="what is", transcripts=["what is the time", "never mind the time"], call=("clock", "{}"))
        async with standing(script) as stand:
            client = AsyncOpenAI(api_key="test", base_url=f"http://127.0.0.1:{stand.port}/v1", max_retries=0)
            seen: list[Any] = []
            async with client.realtime.connect(model="gpt-realtime") as connection:
                await until(connection, "session.created", seen)
                transcription = {"input": {"transcription": {"model": "whisper-1"}}}
                audio = {"input": transcription["input"], "output": {"voice": "alloy"}}
                session: Any = {"type": "realtime", "instructions": "be brief", "audio": audio, "tools": [TOOL]}
                await connection.session.update(session=session)
                updated = (await until(connection, "session.updated", seen)).session
                assert (updated.instructions, updated.audio.output.voice) == ("be brief", "default")
                await say(connection, speech() + silence(960))
                response = (await until(connection, "response.done", seen)).response
                call = next(item for item in response.output if item.type == "function_call")
                script.call, script.packets = None, 100
                output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": json.dumps({"time": "noon"})}
                await connection.conversation.item.create(item=output)
                stand.clock.ms += 1000
                await connection.response.create()
                delta = await until(connection, "response.output_audio.delta", seen)
                script.running = "never mind"
                await say(connection, speech()[: 48 * 800])
                await until(connection, "input_audio_buffer.speech_started", seen)
                cut = (await until(connection, "response.done", seen)).response
                assert cut.status == "cancelled" and cut.status_details.reason == "turn_detected"
                await connection.conversation.item.truncate(item_id=delta.item_id, content_index=0, audio_end_ms=0)
                await until(connection, "conversation.item.truncated", seen)
                script.packets = 4
                await say(connection, silence(960))
                done = (await until(connection, "response.done", seen)).response
                assert done.status == "completed" and done.output[0].content[0].transcript == "one"
            await client.close()
            assert not [event.type for event in seen if event.type.startswith("a2.")]
            last = [(item.role, item.text) for item in script.requests[-1].items]
            assert last[0] == (2, "what is the time") and last[-1] == (2, "never mind the time")
            assert (5, '{"time": "noon"}') in last

    run(scene)
