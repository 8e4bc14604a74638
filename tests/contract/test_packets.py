"""Golden bytes of the binary frames: golden/packets.json is read by this test and by the web client's."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2serve.contracts.packets import MediaPacket, PacketKind, read_packet, write_packet
from a2serve.contracts.problems import Code, Problem

GOLDEN = Path(__file__).parent / "golden" / "packets.json"
EXAMPLES = {
    "audio": MediaPacket(PacketKind.AUDIO, bytes(range(8)), "resp_abc", 3, 4800, output_index=1),
    "audio with an id of odd length": MediaPacket(PacketKind.AUDIO, b"\x01\x02", "r", 0, 0),
    "motion, two frames of three": MediaPacket(PacketKind.MOTION, bytes.fromhex("003c0038003400000080ff7b"), "resp_é", 7, 1 << 40, 2, 3),
    "listening": MediaPacket(PacketKind.LISTENING, b"\x00\x3c", "", 0xFFFFFFFF, 24, 1, 1),
    "input audio": MediaPacket(PacketKind.INPUT_AUDIO, b"\xff\x7f\x00\x80"),
    "empty audio": MediaPacket(PacketKind.AUDIO, b"", "resp_1"),
}


def golden() -> list[dict[str, object]]:
    def fields(packet: MediaPacket) -> dict[str, object]:
        return asdict(packet) | {"kind": int(packet.kind), "payload": packet.payload.hex()}

    return [{"name": name, "hex": write_packet(packet).hex(), "packet": fields(packet)} for name, packet in EXAMPLES.items()]


def test_the_bytes_are_golden():
    assert json.loads(GOLDEN.read_text()) == golden(), f"the layout changed: raise VERSION, then rewrite {GOLDEN.name}"


@pytest.mark.parametrize("packet", EXAMPLES.values(), ids=EXAMPLES)
def test_read_is_the_other_way(packet):
    assert read_packet(write_packet(packet)) == packet


@given(st.binary(max_size=80))
def test_anything_else_is_a_problem(frame):
    try:
        read_packet(frame)
    except Problem as problem:
        assert problem.code == Code.INVALID_PACKET


@pytest.mark.parametrize("cut", [0, 10, 23, 26])
def test_a_short_frame_is_a_problem(cut):
    with pytest.raises(Problem):
        read_packet(write_packet(EXAMPLES["audio"])[:cut])


def test_motion_must_be_whole_frames():
    with pytest.raises(Problem):
        read_packet(write_packet(EXAMPLES["listening"]) + b"\x00\x00")
