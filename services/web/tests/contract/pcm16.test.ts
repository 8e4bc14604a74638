/** The same golden values as tests/unit/test_pcm16.py: both languages have one scale. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { floatToPcm, pcmToFloat } from "../../src/wire/bytes.ts";

interface Golden {
  samples: number[];
  pcm16: number[];
  read: number[];
}

const GOLDEN = JSON.parse(readFileSync(new URL("../../../../tests/contract/golden/pcm16.json", import.meta.url), "utf8")) as Golden;
const bytes = (values: ArrayLike<number>) => new Uint8Array(Int16Array.from(values).buffer);

test("golden values are written", () => {
  expect([...new Int16Array(floatToPcm(Float32Array.from(GOLDEN.samples)).buffer)]).toEqual(GOLDEN.pcm16);
});

test("golden values are read", () => {
  expect([...pcmToFloat(bytes(GOLDEN.pcm16))]).toEqual(GOLDEN.read);
});

test("every value comes back as it was", () => {
  const values = Int16Array.from({ length: 65536 }, (_, i) => i - 32768);
  expect(floatToPcm(pcmToFloat(bytes(values)))).toEqual(bytes(values));
});
