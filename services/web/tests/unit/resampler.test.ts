import { describe, expect, test } from "vitest";
import { Resampler } from "../../src/audio/resampler.ts";

const sine = (n: number, hz: number, rateHz: number) =>
  Float32Array.from({ length: n }, (_, i) => Math.sin((2 * Math.PI * hz * i) / rateHz));

function run(fromHz: number, input: Float32Array, chunk: number): number[] {
  const resampler = new Resampler(fromHz, 24_000);
  const out: number[] = [];
  for (let at = 0; at < input.length; at += chunk) out.push(...resampler.process(input.subarray(at, at + chunk)));
  return out;
}

const rms = (x: number[]) => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length);

describe.each([48_000, 44_100, 24_000, 16_000])("from %i Hz", (fromHz) => {
  test("keeps speech frequencies and the duration", () => {
    const out = run(fromHz, sine(fromHz, 1000, fromHz), 128);
    expect(Math.abs(out.length - 24_000)).toBeLessThan(60);
    const middle = out.slice(1000, 20_000);
    expect(rms(middle)).toBeCloseTo(Math.SQRT1_2, 2);
  });

  test("chunk sizes do not matter", () => {
    const input = sine(4000, 440, fromHz);
    const whole = run(fromHz, input, 4000);
    const parts = run(fromHz, input, 37);
    expect(Math.abs(parts.length - whole.length)).toBeLessThanOrEqual(1); // rounding may move the last one to later input
    const worst = Math.max(...parts.slice(0, whole.length).map((value, i) => Math.abs(value - (whole[i] ?? value))));
    expect(worst).toBeLessThan(1e-5);
  });
});

test("what 24 kHz cannot hold is gone", () => {
  expect(rms(run(48_000, sine(24_000, 16_000, 48_000), 128).slice(500))).toBeLessThan(0.003);
});
