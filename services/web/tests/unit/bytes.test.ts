import { describe, expect, test } from "vitest";
import { floatToPcm, fromBase64, halfToFloat, halvesToFloats, pcmToFloat, toBase64 } from "../../src/wire/bytes.ts";

describe("float16", () => {
  // Bit patterns of IEEE 754-2019, table of binary16 examples.
  test.each([
    [0x0000, 0],
    [0x3c00, 1],
    [0xc000, -2],
    [0x3555, 0.333251953125],
    [0x7bff, 65504],
    [0x0001, 2 ** -24],
    [0x03ff, 1023 * 2 ** -24],
    [0x0400, 2 ** -14],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
  ])("0x%s", (bits, value) => expect(halfToFloat(bits)).toBe(value));

  test("negative zero and NaN", () => {
    expect(Object.is(halfToFloat(0x8000), -0)).toBe(true);
    expect(halfToFloat(0x7e01)).toBeNaN();
  });

  test("reads little-endian pairs at any byte offset", () => {
    const bytes = new Uint8Array([9, 0x00, 0x3c, 0x00, 0xc0]).subarray(1);
    expect([...halvesToFloats(bytes)]).toEqual([1, -2]);
  });
});

test("base64 both ways, longer than one call's arguments", () => {
  const bytes = Uint8Array.from({ length: 70_001 }, (_, i) => (i * 31) & 255);
  expect(Buffer.from(fromBase64(toBase64(bytes))).equals(bytes)).toBe(true);
});

test("PCM16 survives, clips, and ignores half a sample", () => {
  expect([...pcmToFloat(floatToPcm(new Float32Array([0, 0.5, -1, 2])))].map((x) => Math.round(x * 100) / 100)).toEqual([0, 0.5, -1, 1]);
  expect(pcmToFloat(new Uint8Array(5))).toHaveLength(2);
});
