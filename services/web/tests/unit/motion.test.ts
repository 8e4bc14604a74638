import { describe, expect, test } from "vitest";
import parameters from "../../src/contract/idle_face.json" with { type: "json" };
import { Face } from "../../src/motion/face.ts";
import { IdleFace, lidAt } from "../../src/motion/idle.ts";
import { COEFFICIENTS, neutral, placeOf } from "../../src/motion/pose.ts";
import { Timeline } from "../../src/motion/timeline.ts";

const JAW = placeOf("jawOpen");
const columns = { fps: 50, names: ["jawOpen", "headYaw", "notOurs"] }; // a frame is 20 ms
const frames = (...jaw: number[]) => jaw.flatMap((value) => [value, value / 2, 9]);

function timeline(startMs: number, ...jaw: number[]): Timeline {
  const made = new Timeline();
  made.setColumns(columns);
  made.push(startMs, frames(...jaw));
  return made;
}

describe("timeline", () => {
  test("is exact on frames and linear between, by name and not by place", () => {
    const pose = timeline(100, 0, 1, 0.5).at(110, neutral())!;
    expect(pose[JAW]).toBeCloseTo(0.5);
    expect(pose[placeOf("headYaw")]).toBeCloseTo(0.25);
    expect(timeline(100, 0, 1, 0.5).at(120, neutral())![JAW]).toBe(1);
  });

  test("has nothing far from any frame, and holds the last one for a moment", () => {
    const made = timeline(100, 0.4, 0.8);
    expect(made.at(50, neutral())).toBeNull();
    expect(made.at(90, neutral())![JAW]).toBeCloseTo(0.4);
    expect(made.at(145, neutral())![JAW]).toBeCloseTo(0.8);
    expect(made.at(160, neutral())).toBeNull();
  });

  test("takes packets in any order and the same one twice", () => {
    const made = timeline(40, 0.5, 0.6);
    made.push(0, frames(0, 0.2));
    made.push(40, frames(0.5, 0.6));
    expect([0, 20, 40, 60].map((ms) => made.at(ms, neutral())![JAW]!.toFixed(1))).toEqual(["0.0", "0.2", "0.5", "0.6"]);
  });

  test("a missing packet is a gap, not a slow slide", () => {
    const made = timeline(0, 0, 1);
    made.push(400, frames(1));
    expect(made.at(200, neutral())).toBeNull();
  });

  test("a cut forgets what comes after, a value that is no number is neutral", () => {
    const made = timeline(0, 0.1, NaN, 0.3);
    expect(made.at(20, neutral())![JAW]).toBe(0);
    made.cut(20);
    expect(made.endMs).toBe(20);
  });

  test("old frames go, those in use stay", () => {
    const made = timeline(0, ...Array.from({ length: 500 }, (_, i) => i / 500));
    made.forgetBefore(9000);
    expect(made.at(9000, neutral())![JAW]).toBeCloseTo(0.9);
    expect(made.at(100, neutral())).toBeNull();
  });
});

describe("face", () => {
  function speaking(): Face {
    const face = new Face(() => false, 1);
    face.begin("r", columns);
    face.addSpeech("r", 0, frames(...Array.from({ length: 100 }, () => 0.6)));
    for (let now = 0; now <= 400; now += 16) face.at(now, { responseId: "r", ms: now }, "idle");
    return face;
  }

  test("shows speech at the heard position", () =>
    expect(speaking().at(416, { responseId: "r", ms: 416 }, "idle")).toMatchObject({ speech: 1 }));

  test("after a cut it returns to neutral within 240 ms, without a jump", () => {
    const face = speaking();
    face.cutSpeech("r", 400);
    const jaw: number[] = [];
    for (let now = 416; now < 720; now += 16) jaw.push(face.at(now, null, "listening").pose[JAW]!);
    expect(jaw[0]).toBeGreaterThan(0.5);
    expect(jaw.at(-1)).toBe(0);
    for (const [i, value] of jaw.slice(1).entries()) expect(jaw[i]! - value).toBeLessThan(0.07);
  });

  test("listening motion plays on the input clock, a little late, and gives way to the own idle face when it ends", () => {
    const face = new Face(() => false, 1);
    face.addAmbient(1000, 5000, columns, frames(...Array.from({ length: 50 }, () => 0.2))); // one second
    for (let now = 1000; now < 1700; now += 16) face.at(now, null, "listening");
    expect(face.at(1700, null, "listening").pose[JAW]).toBeCloseTo(0.2);
    for (let now = 2100; now < 2800; now += 16) face.at(now, null, "listening");
    expect(face.at(2800, null, "listening").pose[JAW]).toBe(0);
  });

  test("asked for less motion, it turns the head less", () => {
    const poseOf = (calm: boolean) => {
      const face = new Face(() => calm, 1);
      face.begin("r", columns);
      face.addSpeech("r", 0, frames(0.5, 0.5, 0.5, 0.5, 0.5));
      for (let now = 0; now < 80; now += 8) face.at(now, { responseId: "r", ms: now }, "idle");
      return face.at(80, { responseId: "r", ms: 80 }, "idle").pose[placeOf("headYaw")]!;
    };
    expect(poseOf(true)).toBeCloseTo(poseOf(false) * 0.4, 2);
  });
});

describe("idle face", () => {
  const minute = (seed: number) => {
    const idle = new IdleFace(seed);
    return Array.from({ length: 3600 }, (_, i) => Float32Array.from(idle.at((i * 1000) / 60, "idle")));
  };
  const blinks = (poses: Float32Array[]) =>
    poses.filter((pose, i) => pose[placeOf("eyeBlinkLeft")]! > 0.9 && !((poses[i - 1]?.[placeOf("eyeBlinkLeft")] ?? 0) > 0.9)).length;

  test("blinks as people do, both eyes together", () => {
    const poses = minute(7);
    expect(blinks(poses)).toBeGreaterThan(8);
    expect(blinks(poses)).toBeLessThan(32);
    expect(poses.every((pose) => pose[placeOf("eyeBlinkLeft")] === pose[placeOf("eyeBlinkRight")])).toBe(true);
  });

  test("stays within bounds, keeps the mouth shut and is the same for the same seed", () => {
    const poses = minute(3);
    expect(Math.min(...poses.map((pose) => Math.min(...pose.subarray(0, 52))))).toBeGreaterThanOrEqual(0);
    expect(Math.max(...poses.map((pose) => Math.max(...pose)))).toBeLessThanOrEqual(1);
    expect(poses.every((pose) => pose[JAW] === 0)).toBe(true);
    expect(String(minute(3))).toBe(String(poses));
    expect(String(minute(4))).not.toBe(String(poses));
  });

  test("a lid closes fully and opens slower than it closes", () => {
    const { close_s, open_s } = parameters.blink;
    expect([-1, 0, 1000 * close_s, 1000 * (close_s + open_s)].map(lidAt)).toEqual([0, 0, 1, 0]);
    expect(open_s).toBeGreaterThan(close_s);
  });

  test("goes over from one mood to the next without a jump", () => {
    const idle = new IdleFace(3);
    for (let now = 0; now < 5000; now += 20) idle.at(now, "idle");
    const before = Float32Array.from(idle.at(5000, "idle"));
    const after = Float32Array.from(idle.at(5000, "thinking"));
    expect(Math.max(...after.map((value, place) => Math.abs(value - before[place]!)))).toBeLessThan(1e-6);
    const settled = Float32Array.from(idle.at(5400, "thinking"));
    const fresh = new IdleFace(3).at(5400, "thinking");
    expect(Math.max(...settled.map((value, place) => Math.abs(value - fresh[place]!)))).toBeLessThan(1e-6);
  });

  test("asked for less motion, only the lids move", () => {
    const idle = new IdleFace(5, () => true);
    idle.at(0, "idle");
    const yaw = Array.from({ length: 600 }, (_, i) => idle.at(i * 100, "idle")[placeOf("headYaw")]!);
    expect(new Set(yaw).size).toBe(1);
  });
});

test("the layout has the 61 coefficients of arkit61, each once", () => {
  expect(new Set(COEFFICIENTS).size).toBe(61);
  expect(placeOf("jawOpen")).toBeGreaterThanOrEqual(0);
  expect(placeOf("jawopen")).toBe(-1);
});
