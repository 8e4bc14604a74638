/** The same golden bytes as tests/contract/test_packets.py: both languages read and write one wire. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { PacketKind } from "../../src/contract/events.ts";
import { readPacket, writeInputAudio } from "../../src/wire/packets.ts";

interface Golden {
  name: string;
  hex: string;
  packet: Record<string, number | string>;
}

const GOLDEN = JSON.parse(readFileSync(new URL("../../../../tests/contract/golden/packets.json", import.meta.url), "utf8")) as Golden[];
const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));

test("there are golden packets of every kind", () => {
  expect(new Set(GOLDEN.map(({ packet }) => packet["kind"]))).toEqual(new Set(Object.values(PacketKind)));
});

test.each(GOLDEN)("reads: $name", ({ hex, packet }) => {
  const read = readPacket(bytes(hex).buffer);
  expect({ ...read, payload: Buffer.from(read.payload).toString("hex") }).toEqual({
    kind: packet["kind"],
    payload: packet["payload"],
    responseId: packet["response_id"],
    sequence: packet["sequence"],
    ptsSamples: packet["pts_samples"],
    frames: packet["frames"],
    coefficients: packet["coefficients"],
    outputIndex: packet["output_index"],
    contentIndex: packet["content_index"],
  });
});

test.each(GOLDEN.filter(({ packet }) => packet["kind"] === PacketKind.INPUT_AUDIO))("writes: $name", ({ hex, packet }) => {
  const written = writeInputAudio(Number(packet["sequence"]), Number(packet["pts_samples"]), bytes(String(packet["payload"])));
  expect(Buffer.from(written).toString("hex")).toBe(hex);
});
