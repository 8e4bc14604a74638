"""Binary frames of the socket (`session.a2.binary`): audio and motion without base64. JSON events are `events`.

Little-endian, header then payload:

    offset size field
    0      2    magic "A2"
    2      1    version = 1
    3      1    kind: 1 audio, 2 motion, 3 listening motion, 4 input audio (client to server)
    4      4    sequence, strictly increasing per kind and session
    8      8    pts_samples at 24 kHz since the response began (listening motion: since the input began)
    16     2    frames (motion kinds), else 0
    18     2    coefficients C (motion kinds), else 0
    20     1    output_index
    21     1    content_index
    22     2    length of the response id in bytes (0 = none), then the id as UTF-8, padded with zeros to a multiple of 4
    ...         payload: audio in the session's format, or float16 [frames, C]
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from a2serve.contracts.problems import Code, Problem

MAGIC = b"A2"
VERSION = 1
HEADER = struct.Struct("<2sBBIQHHBBH")
ID_ALIGNMENT = 4


class PacketKind(IntEnum):
    """Content of a packet's payload."""

    AUDIO = 1
    MOTION = 2
    LISTENING = 3
    INPUT_AUDIO = 4


KINDS = frozenset(int(kind) for kind in PacketKind)


@dataclass(frozen=True, slots=True)
class MediaPacket:
    """One binary frame of the socket: header and payload."""

    kind: PacketKind
    payload: bytes
    response_id: str = ""
    sequence: int = 0
    pts_samples: int = 0
    frames: int = 0
    coefficients: int = 0
    output_index: int = 0
    content_index: int = 0


def write_packet(packet: MediaPacket) -> bytes:
    """The packet as one frame."""
    name = packet.response_id.encode()
    head = HEADER.pack(
        MAGIC,
        VERSION,
        packet.kind,
        packet.sequence & 0xFFFFFFFF,
        packet.pts_samples,
        packet.frames,
        packet.coefficients,
        packet.output_index,
        packet.content_index,
        len(name),
    )
    return head + name + bytes(-len(name) % ID_ALIGNMENT) + packet.payload


def read_packet(frame: bytes) -> MediaPacket:
    """The frame as a packet. Raises Problem(invalid_packet): too short, other magic or version, unknown kind, wrong motion size."""
    if len(frame) < HEADER.size:
        raise _bad(f"a packet has at least {HEADER.size} bytes")
    magic, version, kind, sequence, pts, frames, coefficients, output, content, id_length = HEADER.unpack_from(frame)
    if magic != MAGIC or version != VERSION or kind not in KINDS:
        raise _bad("not a packet of version 1")
    start = HEADER.size + id_length + (-id_length % ID_ALIGNMENT)
    if len(frame) < start:
        raise _bad("the packet ends inside its id")
    payload = frame[start:]
    if kind in (PacketKind.MOTION, PacketKind.LISTENING) and len(payload) != 2 * frames * coefficients:
        raise _bad("the payload is not float16 [frames, C]")
    name = _text(frame[HEADER.size : HEADER.size + id_length])
    return MediaPacket(PacketKind(kind), payload, name, sequence, pts, frames, coefficients, output, content)


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise _bad("the id is not UTF-8") from None


def _bad(detail: str) -> Problem:
    return Problem(Code.INVALID_PACKET, detail)
