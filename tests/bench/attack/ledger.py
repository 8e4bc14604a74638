"""Answers that are cut, a store that is away, a gateway that is killed: is every answer billed and kept, is every number used once?"""

import asyncio
import signal
import time
from contextlib import suppress
from typing import Any

from bench.attack.stand import Part, Stand
from bench.attack.talk import LONG, Client, done, eventually, number, response_begins, rest, session_id, settle, socket

ROUNDS = 4  # of each way to cut
AWAY_S, AWAY_RUNS = 8.0, 3
SPEAKERS = 6
WORDS = 6
ROW_S = 60.0


async def cut_responses(stand: Stand) -> dict[str, float]:
    """Each answer is cut after some words; its row must count what it read, what it wrote, and sound where there was some."""
    gateway, _ = stand.gateways
    cuts = [(way, modality) for _ in range(ROUNDS) for way in (_cancel, _abort) for modality in ("text", "audio")]
    responses = [(await way(stand, gateway, modality), modality) for way, modality in cuts]
    responses += [(await _close_stream(stand, gateway), "text") for _ in range(ROUNDS)]
    unbilled = [
        response for response, modality in responses if not await eventually(lambda r=response, m=modality: _billed(stand, r, m), ROW_S)
    ]
    return {"cut_answers": len(responses), "cut_answers_unbilled": len(unbilled)}


def _billed(stand: Stand, response: str, modality: str) -> bool:
    rows = stand.rows("usage", "response_id = ?", response)
    return len(rows) == 1 and all(
        int(str(rows[0][name])) > 0
        for name in ("input_tokens", "output_text_tokens", *(["output_audio_ms"] if modality == "audio" else []))
    )


async def _cancel(stand: Stand, gateway: Part, modality: str) -> str:
    async with socket(gateway, stand.keys["acme"]) as client:
        await settle(client, output_modalities=[modality])
        response = await response_begins(client, words=WORDS)
        await client.send("response.cancel")
        events = await done(client, response)
        assert events["usage"]["input_tokens"] and events["usage"]["output_tokens"], events
        return response


async def _abort(stand: Stand, gateway: Part, modality: str) -> str:
    async with socket(gateway, stand.keys["acme"]) as client:
        await settle(client, output_modalities=[modality])
        response = await response_begins(client, words=WORDS)
        client.socket.transport.abort()
        return response


async def _close_stream(stand: Stand, gateway: Part) -> str:
    """The stream of a REST turn, closed after some words."""
    import json

    async with rest(gateway, stand.keys["acme"]) as calls:
        made = (await calls.post("/v1/sessions", json={"session": {"output_modalities": ["text"]}})).json()
        pieces, response = 0, ""
        async with calls.stream("POST", f"/v1/sessions/{made['id']}/turns", json={"text": LONG}) as stream:
            async for line in stream.aiter_lines():
                event = json.loads(line.removeprefix("data: ")) if line.startswith("data: {") else {}
                response = event.get("response_id") or event.get("response", {}).get("id") or response
                pieces += "delta" in event.get("type", "")
                if pieces >= WORDS:
                    break
    return response


async def redis_away(stand: Stand) -> dict[str, float]:
    """An answer completes while Redis stands still, its client leaves, and Redis comes back after longer than anybody waits."""
    lost = 0
    for _ in range(AWAY_RUNS):
        response, session = await _answered_while_away(stand)
        rows = await eventually(lambda r=response: stand.rows("usage", "response_id = ?", r), ROW_S)
        closed = await eventually(lambda s=session: stand.rows("sessions", "session_id = ? AND event = 'closed'", s), ROW_S)
        lost += (len(rows) != 1) + (len(closed) != 1)
    return {"redis_away_runs": AWAY_RUNS, "redis_away_rows_lost": lost}


async def _answered_while_away(stand: Stand) -> tuple[str, str]:
    async with socket(stand.gateways[0], stand.keys["globex"]) as client:
        await settle(client, output_modalities=["text"])
        await asyncio.sleep(1)
        stand.signal("valkey", signal.SIGSTOP)
        try:
            response, _ = await client.ask("Hello, who are you?")
            await done(client, response)
            session = session_id(client)
            await client.socket.close()
            await asyncio.sleep(AWAY_S)
        finally:
            stand.signal("valkey", signal.SIGCONT)
        return response, session


async def gateway_killed(stand: Stand) -> dict[str, float]:
    """SIGKILL while several speak; all come back through the other gateway."""
    one, other = stand.gateways
    before = await asyncio.gather(*(_speaking(stand, one) for _ in range(SPEAKERS)))
    stand.signal(one.name, signal.SIGKILL)
    killed_s = time.monotonic()
    after = await asyncio.gather(*(_back(stand, other, each, killed_s) for each in before))
    billed = [await eventually(lambda r=each["response"]: _billed(stand, r, "audio"), ROW_S) for each in before]
    closed = [await eventually(lambda s=each["session"]: _all_closed(stand, s), ROW_S) for each in before]
    stand.start(one.name)
    return {
        "killed_gateway_sockets": SPEAKERS,
        "killed_gateway_answers_lost": sum(not each["kept"] for each in after),
        "killed_gateway_answers_unbilled": sum(not row for row in billed),
        "killed_gateway_answers_untold": sum(not each["told"] for each in after),
        "killed_gateway_sessions_unclosed": sum(not each for each in closed),
        "event_numbers_repeated": sum(each["repeated"] for each in after),
        "resume_after_crash_ms_max": round(max(each["back_ms"] for each in after), 1),
    }


async def _speaking(stand: Stand, gateway: Part) -> dict[str, Any]:
    """A session in mid-answer; its socket is left to die. Where an answer is so short that it is over by then, another one is asked for."""
    context = socket(gateway, stand.keys["hooli"])
    client = await context.__aenter__()
    while True:
        before = len(client.events)
        response = await response_begins(client, words=WORDS)
        await asyncio.sleep(1.5)  # what is checkpointed is a moment behind
        events = [event for event in client.events[before:] if event.response_id == response]
        if not any(event.type == "response.done" for event in events):
            break
    words = "".join(e.body["delta"] for e in events if e.type == "response.output_audio_transcript.delta")
    return {"session": session_id(client), "response": response, "words": words, "client": client, "context": context}


async def _back(stand: Stand, gateway: Part, was: dict[str, Any], killed_s: float) -> dict[str, Any]:
    client: Client = was["client"]
    with suppress(Exception):
        await was["context"].__aexit__(None, None, None)
    last = max(number(event) for event in client.events)
    query = f"?resume={was['session']}&last_sequence={last}"
    while True:
        try:
            async with socket(gateway, stand.keys["hooli"], query) as resumed:
                back_ms = 1000 * (time.monotonic() - killed_s)
                events = await _report(resumed, was["response"])
                await settle(resumed, output_modalities=["text"])
                numbers = [number(event) for event in resumed.events]
                break
        except Exception as error:
            if time.monotonic() - killed_s > 60:
                raise RuntimeError(f"nobody lets {was['session']} back in") from error
            await asyncio.sleep(0.1)
    kept = await _kept(stand, gateway, was)
    return {
        "back_ms": back_ms,
        "told": events,
        "kept": kept,
        "repeated": sum(n <= last for n in numbers) + len(numbers) - len(set(numbers)),
    }


async def _report(resumed: Client, response: str) -> bool:
    """Whether the client hears what became of its response."""
    with suppress(TimeoutError):
        await resumed.until(lambda events: [e for e in events if e.type == "response.done" and e.response_id == response], 10)
        return True
    return False


async def _kept(stand: Stand, gateway: Part, was: dict[str, Any]) -> bool:
    """Whether the conversation holds the beginning of the answer that was heard, marked as incomplete."""
    async with rest(gateway, stand.keys["hooli"]) as calls:
        items = (await calls.get(f"/v1/sessions/{was['session']}/items", params={"limit": 100})).json()
    said = [item for item in items.get("data", items.get("items", [])) if item.get("role") == "assistant"]
    text = " ".join(part.get("transcript") or part.get("text") or "" for item in said for part in item["content"])
    return bool(said) and said[-1].get("status") == "incomplete" and was["words"].split()[:3] == text.split()[:3]


def _all_closed(stand: Stand, session: str) -> bool:
    events = [row["event"] for row in stand.rows("sessions", "session_id = ?", session)]
    return "opened" in events and events.count("opened") == events.count("closed")
