"""A conversation by a real socket while something behind the gateway is killed: what the client received, checked for whatever could
be missing or come twice.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

import numpy as np

from a2serve.contracts.packets import MediaPacket, PacketKind, read_packet
from support.servers.realtime import Client, Stand, standing

RATE_HZ, FPS = 24_000, 30
TOKENS = 100
SPOKEN_S = 1.0  # of an answer has come, before something is killed
SOUND_TOLERANCE = 64  # of 32767: another batch and another machine round otherwise
Kill = Callable[[], None]


@dataclass(frozen=True)
class PlayedResponse:
    """sound [S] int16. first_s: from the question to the first packet. gap_s: the longest that a player which began with it had nothing
    to play."""

    words: str
    sound: np.ndarray
    frames: int
    gap_s: float
    usage: dict
    first_s: float


@asynccontextmanager
async def speaking(target: str, application: str = "") -> AsyncIterator[Stand]:
    """A gateway before a real model; equal sessions get equal seeds, which come from the response's id."""
    numbers = count()
    new_id = lambda kind: f"{kind}_{next(numbers)}_listen"  # noqa: E731 - with this seed the tiny model talks for seconds
    async with standing(target=target, application=application, real_time=True, new_id=new_id) as stand:
        yield stand


@asynccontextmanager
async def talking(stand: Stand) -> AsyncIterator[Client]:
    async with stand.connect() as client:
        await client.until("session.created")
        yield client


async def play_response(client: Client, text: str, kill: Kill | None = None, spoken_s: float = SPOKEN_S) -> PlayedResponse:
    """Ask and listen to the end; `kill` is called in mid-sentence, when so much was spoken. Without it, as fast as can be."""
    await client.update(a2={"motion": {"rig": "arkit61", "fps": FPS}, "binary": True, "burst": kill is None}, max_output_tokens=TOKENS)
    packets, events = len(client.packets), len(client.events)
    asked_s = asyncio.get_running_loop().time()
    await client.ask(text)
    killing = asyncio.create_task(_in_mid_sentence(client, packets, kill, spoken_s)) if kill else None
    while _refused(done := (await client.until("response.done"))["response"]):  # a busy machine is full sooner
        await asyncio.sleep(0.3)
        await client.send("response.create")
    assert done["status"] in ("completed", "incomplete"), done
    assert killing is None or killing.done(), "the answer was over before anything was killed"
    transcripts = [e["transcript"] for e in client.events[events:] if e["type"] == "response.output_audio_transcript.done"]
    deltas = "".join(e["delta"] for e in client.events[events:] if e["type"] == "response.output_audio_transcript.delta")
    assert transcripts == [deltas]
    assert sum(e["type"] == "a2.affect" for e in client.events[events:]) == 1
    media = [(read_packet(raw), at_s) for raw, at_s in zip(client.packets[packets:], client.packet_times[packets:], strict=True)]
    sound = [(packet, at_s) for packet, at_s in media if packet.kind is PacketKind.AUDIO]
    frames = _frames([packet for packet, _ in media if packet.kind is PacketKind.MOTION])
    pcm = _sound([packet for packet, _ in sound])
    assert frames == -(-len(pcm) * FPS // RATE_HZ)
    return PlayedResponse(deltas, pcm, frames, gap_s(sound), done["usage"], sound[0][1] - asked_s)


def _refused(response: dict) -> bool:
    return response["status"] == "failed" and response["status_details"]["error"]["code"] == "no_capacity"


async def _in_mid_sentence(client: Client, packets: int, kill: Kill, spoken_s: float) -> None:
    def heard_s() -> float:
        return max((read_packet(raw).pts_samples / RATE_HZ for raw in client.packets[packets:]), default=0.0)

    while heard_s() < spoken_s:
        await asyncio.sleep(0.01)
    kill()


def _sound(packets: list[MediaPacket]) -> np.ndarray:
    at, pieces = 0, []
    for packet in packets:
        assert packet.pts_samples == at, "sound is missing, or came twice"
        pieces.append(np.frombuffer(packet.payload, "<i2"))
        at += len(pieces[-1])
    return np.concatenate(pieces)


def _frames(packets: list[MediaPacket]) -> int:
    at = 0
    for packet in packets:
        assert packet.pts_samples == at * RATE_HZ // FPS, "frames are missing, or came twice"
        at += packet.frames
    return at


def gap_s(sound: list[tuple[MediaPacket, float]]) -> float:
    """Longest silence in packets, by the times when they came."""
    longest_s, silence_s = 0.0, sound[0][1]
    for packet, at_s in sound:
        longest_s = max(longest_s, at_s - silence_s)
        silence_s = max(silence_s, at_s) + len(packet.payload) / 2 / RATE_HZ
    return longest_s


def assert_same(one: PlayedResponse, other: PlayedResponse) -> None:
    assert (one.words, one.frames, len(one.sound)) == (other.words, other.frames, len(other.sound))
    assert np.abs(one.sound.astype(int) - other.sound).max() <= SOUND_TOLERANCE
    for kind in ("output_tokens", "input_tokens"):
        assert one.usage[kind] == other.usage[kind]
