"""The gRPC contracts: the committed Python is what the .proto files say, and field numbers never move."""

from pathlib import Path

import pytest

from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.contracts.proto.generate import HERE, generate


def test_the_generated_files_are_fresh(tmp_path: Path):
    pytest.importorskip("grpc_tools")
    generate(tmp_path)
    fresh = {path.name: path.read_text() for path in (tmp_path / "a2serve/contracts/proto").iterdir()}
    committed = {path.name: path.read_text() for path in HERE.glob("*_pb2*.py*")}
    assert fresh == committed, "run `python -m a2serve.contracts.proto.generate`"


def test_a_packet_keeps_its_bytes():
    motion = pb.Motion(rig="arkit61", hz=30, first_frame=3, frames=1, values_f16=b"\x00\x3c")
    packet = pb.Packet(
        response_id="resp_1",
        pts_samples=2400,
        text="Hello",
        pcm16=b"\x01\x00",
        motion=motion,
        affect=pb.Affect(category="joy", intensity=0.5),
    )
    golden = "0a06726573705f3110e0121a0548656c6c6f220201002a130a0761726b69743631101e180320012a02003c320a0a036a6f79150000003f"
    assert packet.SerializeToString(deterministic=True).hex() == golden
    assert pb.Packet.FromString(bytes.fromhex(golden)) == packet
