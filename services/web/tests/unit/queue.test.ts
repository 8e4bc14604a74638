import { beforeEach, describe, expect, test } from "vitest";
import { PlaybackClock } from "../../src/audio/clock.ts";
import { type Anchor, PlayQueue } from "../../src/audio/queue.ts";

const BLOCK = 128;
let anchors: Anchor[];
let clock: PlaybackClock;
let queue: PlayQueue;
let frame: number;

beforeEach(() => {
  anchors = [];
  clock = new PlaybackClock();
  frame = 0;
  queue = new PlayQueue((anchor) => {
    anchors.push(anchor);
    clock.add(anchor);
  });
});

function play(blocks: number): number[] {
  const heard: number[] = [];
  for (let b = 0; b < blocks; b++, frame += BLOCK) {
    const out = new Float32Array(BLOCK);
    queue.render(out, frame);
    heard.push(...out);
  }
  return heard;
}

/** n samples 1/32, 2/32, ... so that order shows; `from` counts on. */
const ramp = (n: number, from = 0) => Float32Array.from({ length: n }, (_, i) => ((from + i) % 1000) / 1000);
const states = () => anchors.map(({ state, responseId }) => `${responseId} ${state}`);

describe("jitter buffer", () => {
  test("waits for 60 ms, then plays every sample once, across chunk borders", () => {
    queue.push("a", ramp(1000));
    expect(play(2).every((x) => x === 0)).toBe(true);
    queue.push("a", ramp(1000, 1000));
    expect(play(8)).toEqual([...ramp(1024)]);
    expect(anchors).toEqual([{ frame: 256, responseId: "a", position: 0, state: "playing" }]);
  });

  test("a short answer that is complete plays at once and ends exactly", () => {
    queue.push("a", ramp(300));
    queue.end("a");
    expect(play(4).slice(0, 300)).toEqual([...ramp(300)]);
    expect(anchors.at(-1)).toEqual({ frame: 300, responseId: "a", position: 300, state: "finished" });
    expect(queue.underruns).toBe(0);
  });

  test("an underrun is counted once, asks for more next time, and loses nothing", () => {
    queue.push("a", ramp(1500));
    play(12);
    expect(states()).toEqual(["a playing", "a stalled"]);
    expect(queue.underruns).toBe(1);
    queue.push("a", ramp(1920, 1500)); // 80 ms: enough before, not now
    expect(play(4).every((x) => x === 0)).toBe(true);
    queue.push("a", ramp(1920, 3420));
    const heard = play(1);
    expect(heard[0]).toBeCloseTo(ramp(1, 1500)[0]!);
    expect(anchors.at(-1)).toMatchObject({ position: 1500, state: "playing" });
  });

  test("while ducked the server holds on purpose: no underrun", () => {
    queue.push("a", ramp(1500));
    queue.setGain(0.2);
    play(14);
    expect(queue.underruns).toBe(0);
  });

  test("responses play one after the other, without a gap where both are there", () => {
    queue.push("a", ramp(200));
    queue.push("b", ramp(2000));
    queue.end("a");
    play(4);
    expect(states()).toEqual(["a playing", "a finished", "b playing"]);
    expect(anchors.at(-1)!.frame).toBe(200);
  });

  test("an answer without sound ends too", () => {
    queue.end("a");
    play(1);
    expect(states()).toEqual(["a finished"]);
  });
});

describe("interruption", () => {
  test("fades out within 8 ms and forgets the rest", () => {
    queue.push("a", new Float32Array(24_000).fill(0.5));
    play(4);
    queue.flush(frame);
    const heard = play(4);
    expect(heard[0]).toBeCloseTo(0.5);
    expect(heard[100]!).toBeLessThan(0.3);
    expect(heard.slice(192).every((x) => x === 0)).toBe(true);
    expect(anchors.at(-1)).toMatchObject({ state: "flushed", responseId: "a", frame: 512 });
    expect(queue.bufferedSamples).toBe(0);
  });

  test("ducking changes the loudness within 60 ms, not the words", () => {
    queue.push("a", new Float32Array(24_000).fill(0.5));
    play(1);
    queue.setGain(0.2);
    const heard = play(14);
    expect(heard.at(-1)).toBeCloseTo(0.1, 1);
    expect(Math.max(...heard.slice(1).map((x, i) => Math.abs(x - heard[i]!)))).toBeLessThan(0.01);
    queue.setGain(1);
    expect(play(30).at(-1)).toBeCloseTo(0.5, 3);
  });
});

describe("master clock", () => {
  test("runs with the frames, stands while stalled, and knows the past", () => {
    queue.push("a", ramp(1500));
    play(20);
    expect(clock.at(-1)).toBeNull();
    expect(clock.at(1000)).toMatchObject({ responseId: "a", samples: 1000, state: "playing" });
    expect(clock.at(2500)).toMatchObject({ samples: 1500, state: "stalled" });
    queue.push("a", ramp(9000));
    play(2);
    expect(clock.at(20 * BLOCK + 100)).toMatchObject({ samples: 1600, state: "playing" });
    expect(clock.at(500)).toMatchObject({ samples: 500 });
  });
});
