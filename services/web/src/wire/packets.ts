/** Binary media frames (contracts/packets.py has the layout): read those of the server, write the microphone's. */
import { PACKET, PacketKind } from "../contract/events.ts";

const HEADER_BYTES = PACKET.headerBytes;
const MAGIC = PACKET.magic.charCodeAt(0) | (PACKET.magic.charCodeAt(1) << 8);
const KNOWN_KINDS: ReadonlySet<number> = new Set(Object.values(PacketKind));

export interface MediaPacket {
  kind: number;
  sequence: number;
  /** At 24 kHz since the response began; listening motion: since the input began. */
  ptsSamples: number;
  frames: number;
  coefficients: number;
  outputIndex: number;
  contentIndex: number;
  responseId: string;
  payload: Uint8Array;
}

/** Throws RangeError for anything that is not a whole packet of version 1. */
export function readPacket(frame: ArrayBuffer): MediaPacket {
  const view = new DataView(frame);
  if (frame.byteLength < HEADER_BYTES || view.getUint16(0, true) !== MAGIC || view.getUint8(2) !== PACKET.version) {
    throw new RangeError("not a media packet of version 1");
  }
  const idBytes = view.getUint16(22, true);
  const start = HEADER_BYTES + Math.ceil(idBytes / PACKET.idAlignment) * PACKET.idAlignment;
  if (!KNOWN_KINDS.has(view.getUint8(3))) throw new RangeError("a media packet of an unknown kind");
  if (frame.byteLength < start) throw new RangeError("the packet ends inside its id");
  return {
    kind: view.getUint8(3),
    sequence: view.getUint32(4, true),
    ptsSamples: Number(view.getBigUint64(8, true)),
    frames: view.getUint16(16, true),
    coefficients: view.getUint16(18, true),
    outputIndex: view.getUint8(20),
    contentIndex: view.getUint8(21),
    responseId: new TextDecoder().decode(new Uint8Array(frame, HEADER_BYTES, idBytes)),
    payload: new Uint8Array(frame, start),
  };
}

/** The microphone's audio as a packet. */
export function writeInputAudio(sequence: number, ptsSamples: number, pcm16: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(HEADER_BYTES + pcm16.length);
  const view = new DataView(frame.buffer);
  view.setUint16(0, MAGIC, true);
  view.setUint8(2, PACKET.version);
  view.setUint8(3, PacketKind.INPUT_AUDIO);
  view.setUint32(4, sequence, true);
  view.setBigUint64(8, BigInt(ptsSamples), true);
  frame.set(pcm16, HEADER_BYTES);
  return frame;
}
