"""A replica that is lost in the middle of a response, as the client of a socket sees it: not at all."""

import asyncio

import grpc
import pytest
from support.servers.realtime import PACKET_SAMPLES, WORDS, Client, Script, Stand, run, silence, speech, standing

from a2serve.contracts.packets import PacketKind, read_packet
from a2serve.gateway.model_client import continuing

MOTION = {"rig": "arkit61", "fps": 30}
BINARY = {"motion": MOTION, "binary": True, "burst": True}


def media(client: Client, kind: PacketKind) -> list:
    return [packet for packet in map(read_packet, client.packets) if packet.kind is kind]


async def whole_response(stand: Stand, client: Client) -> dict:
    """To its end; checks that nothing is missing and nothing came twice."""
    await client.update(a2=BINARY)
    await client.ask("Hello")
    done = (await client.until("response.done"))["response"]
    packets = stand.script.packets
    assert [packet.pts_samples for packet in media(client, PacketKind.AUDIO)] == [i * PACKET_SAMPLES for i in range(packets)]
    at = 0
    for frames in media(client, PacketKind.MOTION):
        assert frames.pts_samples == at * 800
        at += frames.frames
    assert at == -(-packets * 30 // 20)
    words = " ".join(WORDS[: -(-packets // 4)])
    assert [event["transcript"] for event in client.of("response.output_audio_transcript.done")] == [words]
    assert len(client.of("a2.affect")) == 1
    return done


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
def test_it_goes_on_where_it_was(code: grpc.StatusCode):
    async def test() -> None:
        async with standing(Script(lose_at=[7, 13], lost_as=code)) as stand, stand.connect() as client:
            done = await whole_response(stand, client)
            assert done["status"] == "completed"
            assert done["usage"]["output_token_details"]["audio_tokens"] == 20
            first, *again = stand.script.requests
            assert [(list(r.resume.tokens), r.resume.words, r.resume.samples) for r in again] == [
                (list(range(count)), -(-count // 4), count * PACKET_SAMPLES) for count in (7, 13)
            ]
            for request in again:
                assert (request.resume.affect.category, request.resume.affect.intensity) == ("joy", 0.5)
                request.ClearField("resume")
                request.ClearField("affect")
                assert request == first
            assert first.seed and not first.HasField("affect")
            assert not stand.script.cancelled  # the end of a stream is not cut off: it would count as a failure
            timings = stand.memory.turns[0].inference
            assert timings.first_audio_ms > 0 == timings.prefill_ms

    run(test)


def test_one_that_is_lost_again_and_again_fails():
    """It may be what kills them."""

    async def test() -> None:
        async with standing(Script(lose_at=[3, 5, 7, 9])) as stand, stand.connect() as client:
            await client.ask("Hello")
            done = (await client.until("response.done"))["response"]
            assert (done["status"], done["status_details"]["error"]["code"]) == ("failed", "inference_unavailable")
            assert len(stand.script.requests) == continuing.MOST_LOSSES

    run(test)


def test_a_defect_is_not_asked_for_twice():
    async def test() -> None:
        async with standing(Script(lose_at=[3], lost_as=grpc.StatusCode.INTERNAL)) as stand, stand.connect() as client:
            await client.ask("Hello")
            assert (await client.until("response.done"))["response"]["status"] == "failed"
            assert len(stand.script.requests) == 1

    run(test)


def test_text_goes_on_and_a_call_begins_anew():
    async def test() -> None:
        async with standing(Script(packets=9, lose_at=[5])) as stand, stand.connect() as client:
            await client.update(output_modalities=["text"])
            await client.ask("Hello")
            await client.until("response.done")
            assert "".join(event["delta"] for event in client.of("response.output_text.delta")) == "one two three"
            assert (stand.script.requests[1].resume.words, stand.script.requests[1].resume.samples) == (2, 0)
            stand.script.packets, stand.script.lose_at, stand.script.call = 0, [0], ("clock", "{}")
            await client.send("response.create")
            assert (await client.until("response.done"))["response"]["output"][0]["name"] == "clock"
            assert not stand.script.requests[-1].HasField("resume")

    run(test)


def test_a_host_that_is_away_is_waited_for():
    async def test() -> None:
        async with standing(Script(lose_at=[7], away_once_lost=True)) as stand, stand.connect() as client:
            response = asyncio.create_task(whole_response(stand, client))
            while len(stand.script.requests) < 6:
                await asyncio.sleep(0.01)
            stand.script.away = False
            assert (await response)["status"] == "completed"

    run(test)


def test_who_waits_for_the_rest_may_cancel_it():
    async def test() -> None:
        async with standing(Script(lose_at=[7], away_once_lost=True)) as stand, stand.connect() as client:
            await client.ask("Hello")
            while len(stand.script.requests) < 4:
                await asyncio.sleep(0.01)
            await client.send("response.cancel")
            assert (await client.until("response.done"))["response"]["status"] == "cancelled"
            asked = len(stand.script.requests)
            await asyncio.sleep(2 * continuing.LONGEST_PAUSE_S)
            assert len(stand.script.requests) == asked

    run(test)


def test_patience_ends(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("a2serve.gateway.model_client.grpc_client.PATIENCE_S", 0.3)

    async def test() -> None:
        async with standing(Script(lose_at=[7], away_once_lost=True)) as stand, stand.connect() as client:
            await client.ask("Hello")
            done = (await client.until("response.done"))["response"]
            assert (done["status"], done["status_details"]["error"]["code"]) == ("failed", "inference_unavailable")
            stand.script.away = False
            await client.ask("And now?")
            assert (await client.until("response.done"))["response"]["status"] == "completed"

    run(test)


def test_what_was_said_goes_with_its_tokens_unless_it_was_cut():
    async def test() -> None:
        async with standing() as stand, stand.connect() as client:
            for _ in range(2):
                await client.ask("Hello")
                await client.until("response.done")
            said = client.of("conversation.item.done")[1]["item"]
            await client.send("conversation.item.truncate", item_id=said["id"], content_index=0, audio_end_ms=300)
            await client.until("conversation.item.truncated")
            await client.ask("Again")
            await client.until("response.done")
            tokens = [[list(item.tokens) for item in request.items if item.text] for request in stand.script.requests]
            assert tokens == [[[]], [[], list(range(20)), []], [[], [], [], list(range(20)), []]]
            kept = stand.memory.saved[next(iter(stand.memory.saved))].items
            assert [item["tokens"] for item in kept] == [[], [], [], list(range(20)), [], list(range(20))]

    run(test)


def test_the_last_words_of_the_user_are_waited_for():
    async def test() -> None:
        async with standing(Script(transcripts=["hello there"])) as stand, stand.connect() as client:
            await client.update(audio={"input": {"turn_detection": None, "transcription": {"model": "whisper-1"}}})
            stand.script.away = True
            await client.say(speech()[:48_000] + silence(100))
            await client.send("input_audio_buffer.commit")
            while not any(listen.final for listen in stand.script.listens):
                await asyncio.sleep(0.01)
            stand.script.away = False
            done = await client.until("conversation.item.input_audio_transcription.completed")
            assert done["transcript"] == "hello there"

    run(test)
