"""The third output: only for those who asked, on the audio's clock, in JSON and in binary."""

import base64

import numpy as np
import pytest
from support.servers.realtime import Client, Script, run, silence, speech, standing

from a2serve.contracts.packets import MediaPacket, PacketKind, read_packet, write_packet


async def answered(client: Client) -> None:
    await client.ask("hello")
    await client.until("rate_limits.updated")


def test_nobody_sees_what_he_did_not_ask_for():
    async def scene() -> None:
        async with standing(Script(packets=8, transcripts=["hello"])) as stand, stand.connect() as client:
            await client.next()
            await answered(client)
            stand.clock.ms += 400
            await client.quiet(0.3)
            await client.say(speech() + silence(960))
            await client.until("rate_limits.updated")
            assert not [kind for kind in client.kinds() if kind.startswith("a2.")] and not client.packets
            assert stand.script.requests[0].motion_hz == 0 and not stand.script.idles

    run(scene)


def test_motion_on_the_audios_clock():
    async def scene() -> None:
        async with standing(Script(packets=20)) as stand, stand.connect() as client:
            await client.next()
            session = (await client.update(a2={"motion": {"rig": "arkit61", "fps": 30, "encoding": "json"}}))["session"]
            assert session["a2"]["model"]["rigs"] == ["arkit61"] and session["a2"]["resume_handle"] == session["id"]
            await answered(client)
            (header,), deltas = client.of("a2.motion.header"), client.of("a2.motion.delta")
            assert (header["fps"], len(header["coefficient_names"])) == (30, 61)
            assert client.events.index(header) < client.events.index(deltas[0])
            assert [d["sequence"] for d in deltas] == list(range(len(deltas)))
            frames = [frame for d in deltas for frame in d["values"]]
            assert [frame[0] for frame in frames] == list(range(30)) and {len(frame) for frame in frames} == {61}
            starts = np.cumsum([0, *(d["frames"] for d in deltas)])[:-1] * 1000 / 30
            assert np.allclose([d["start_ms"] for d in deltas], starts)
            assert client.of("a2.motion.done")[0]["end_ms"] == 1000
            assert client.of("a2.affect")[0]["category"] == "joy"
            response = client.of("response.done")[0]["response"]
            assert {(d["response_id"], d["item_id"]) for d in deltas} == {(response["id"], response["output"][0]["id"])}

    run(scene)


def test_binary_frames_carry_the_same():
    async def scene() -> None:
        script = Script(packets=20, transcripts=["hello"])
        async with standing(script) as stand, stand.connect() as client:
            await client.next()
            await client.update(a2={"motion": {"fps": 60}, "binary": True, "listening": False})
            await answered(client)
            packets = [read_packet(frame) for frame in client.packets]
            audio = [packet for packet in packets if packet.kind is PacketKind.AUDIO]
            motion = [packet for packet in packets if packet.kind is PacketKind.MOTION]
            assert [packet.pts_samples for packet in audio] == [1200 * n for n in range(20)]
            assert b"".join(packet.payload for packet in audio)[:2] == np.int16(100).tobytes()
            values = np.concatenate([np.frombuffer(p.payload, "<f2").reshape(p.frames, p.coefficients) for p in motion])
            assert values.shape == (60, 61) and np.array_equal(values[:, 0], np.arange(60))
            assert [packet.sequence for packet in motion] == list(range(len(motion)))
            assert not client.of("response.output_audio.delta") and not client.of("a2.motion.delta")
            assert client.of("response.output_audio_transcript.delta") and client.of("a2.motion.header")
            stand.clock.ms += 1000
            await client.quiet(0.2)
            sound = speech() + silence(960)
            for at in range(0, len(sound), 1920):
                await client.socket.send(write_packet(MediaPacket(PacketKind.INPUT_AUDIO, sound[at : at + 1920])))
            await client.until("input_audio_buffer.committed")
            await client.socket.send(b"A2 and nonsense")
            assert (await client.until("error"))["error"]["code"] == "invalid_packet"

    run(scene)


@pytest.mark.parametrize("frame", [b"raw sound", write_packet(MediaPacket(PacketKind.INPUT_AUDIO, b"\0\0"))])
def test_binary_frames_are_named_as_off_whatever_they_hold(frame: bytes):
    async def scene() -> None:
        async with standing() as stand, stand.connect() as client:
            await client.next()
            await client.socket.send(frame)
            error = (await client.until("error"))["error"]
            assert (error["code"], "session.a2.binary" in error["message"]) == ("unsupported", True)

    run(scene)


def test_a_face_that_listens():
    async def scene() -> None:
        async with standing(Script(packets=2, running="well then", transcripts=["well then"])) as stand, stand.connect() as client:
            await client.next()
            await client.update(a2={"motion": {"rig": "arkit61", "fps": 25}}, audio={"input": {"turn_detection": {"type": "semantic_vad"}}})
            first = await client.until("a2.listening.delta")
            assert first["state"] == "idle" and first["fps"] == 25
            stand.script.turn_end = 0.0
            await client.say(speech() + silence(640))
            while client.of("a2.listening.delta")[-1]["state"] != "listening":
                await client.next()
            while not any(idle.nod_frames for idle in stand.script.idles):
                stand.clock.ms += 200
                await client.next()
            deltas = client.of("a2.listening.delta")
            ends = [d["start_ms"] + 1000 * d["frames"] / d["fps"] for d in deltas]
            assert all(abs(end - d["start_ms"]) < 41 for end, d in zip(ends, deltas[1:], strict=False))
            values = np.frombuffer(base64.b64decode(deltas[0]["values"]), "<f2")
            assert values.size == deltas[0]["frames"] * 61

    run(scene)


def test_a_rig_or_persona_that_is_not_there_is_named():
    async def scene() -> None:
        async with standing() as stand, stand.connect() as client:
            await client.next()
            for a2, code in (({"motion": {"rig": "flame58"}}, "rig_unavailable"), ({"persona": "nobody"}, "persona_unknown")):
                await client.send("session.update", event_id="e", session={"type": "realtime", "a2": a2})
                error = (await client.until("error"))["error"]
                assert (error["code"], error["event_id"]) == (code, "e")
            assert "a2" not in (await client.update(instructions="x"))["session"]
            await client.update(a2={"persona": "ada", "events": False})
            await answered(client)
            assert stand.script.requests[0].persona == "ada"
            assert not [kind for kind in client.kinds() if kind.startswith("a2.")]

    run(scene)


def test_burst_is_not_paced():
    async def scene() -> None:
        async with standing(Script(packets=200)) as stand, stand.connect() as client:
            await client.next()
            await client.update(a2={"burst": True, "motion": {"fps": 25}})
            await answered(client)
            assert len(client.of("response.output_audio.delta")) == 200 and stand.script.requests[0].burst

    run(scene)
