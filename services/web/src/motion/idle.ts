/**
 * The face when the server sends none: it breathes, blinks, looks about and, while the user speaks, attends. A function of
 * seed, mood and time alone. It is a2llm.idle_face, with the same numbers (idle_face.json is generated from the model's), so
 * that the server's face and this one are one; tests/contract/golden/idle_face.json holds both.
 */
import parameters from "../contract/idle_face.json";
import { neutral, type Pose, placeOf } from "./pose.ts";

export type Mood = "idle" | "listening" | "thinking";
type Manner = (typeof parameters.manners)["idle"];
type Axis = "yaw" | "pitch";

const { blink, brows, breath, gaze, wander } = parameters;
const [GOLDEN, STREAM] = [0x9e3779b97f4a7c15n, 0xd1b54a32d192ed03n];
const STEPS = [
  [30n, 0xbf58476d1ce4e5b9n],
  [27n, 0x94d049bb133111ebn],
] as const;
const KEPT_DRAWS = 512;
const ENDS = {
  yaw: { towards: ["OutLeft", "InRight"], back: ["InLeft", "OutRight"] },
  pitch: { towards: ["DownLeft", "DownRight"], back: ["UpLeft", "UpRight"] },
};

export class IdleFace {
  private readonly draws: Draws;
  private readonly pose = neutral();
  /** What was shown when the mood changed, less what the new mood would have shown: forgotten within ease_s. */
  private readonly left = neutral();
  private mood: Mood | null = null;
  private changedMs = 0;

  /** still: for people who asked for less motion; the head rests and the eyes only blink. */
  constructor(
    seed = 1,
    private readonly still: () => boolean = () => false,
  ) {
    this.draws = new Draws(BigInt(Math.floor(seed)));
  }

  /** The face at `nowMs` (any clock that only grows). The array belongs to this object. */
  at(nowMs: number, mood: Mood): Pose {
    if (mood !== this.mood) this.change(nowMs, mood);
    this.draw(nowMs / 1000, mood);
    const left = 1 - smooth((nowMs - this.changedMs) / 1000 / parameters.ease_s);
    if (left > 0) for (let c = 0; c < this.pose.length; c++) this.pose[c]! += this.left[c]! * left;
    return this.pose;
  }

  private change(nowMs: number, mood: Mood): void {
    if (this.mood) {
      this.left.set(this.at(nowMs, this.mood));
      this.draw(nowMs / 1000, mood);
      for (let c = 0; c < this.pose.length; c++) this.left[c]! -= this.pose[c]!;
    }
    this.changedMs = nowMs;
    this.mood = mood;
  }

  private draw(seconds: number, mood: Mood): void {
    const manner = parameters.manners[mood];
    const moving = this.still() ? 0 : 1;
    const yaw = moving * this.drift(seconds, "yaw", manner);
    const pitch = moving * (this.drift(seconds, "pitch", manner) + this.breath(seconds));
    this.pose.fill(0);
    this.set("headYaw", yaw);
    this.set("headPitch", pitch);
    this.set("headRoll", moving * this.drift(seconds, "roll", manner) + manner.tilt);
    this.lift(seconds, manner, moving);
    this.look("yaw", moving * this.gaze(seconds, "yaw", manner) - gaze.eyes_hold * yaw);
    this.look("pitch", moving * this.gaze(seconds, "pitch", manner) - gaze.eyes_hold * pitch);
    this.both("eyeBlink", this.lids(seconds));
  }

  private drift(seconds: number, axis: keyof typeof wander, manner: Manner): number {
    return manner.drift * wander[axis].reduce((sum, { rad, period_s, stream }) => sum + rad * this.wander(seconds, period_s, stream), 0);
  }

  private breath(seconds: number): number {
    return breath.rad * Math.sin(2 * Math.PI * (seconds / breath.period_s + this.draws.at(10, 0)));
  }

  private lift(seconds: number, manner: Manner, moving: number): void {
    const lift = manner.brows * (1 + moving * brows.swing * this.wander(seconds, brows.period_s, 20));
    this.set("browInnerUp", lift);
    this.both("browOuterUp", brows.outer * lift);
  }

  /** Where the eyes are turned, in radians: as rotations, and as the morphs that move lids with them. */
  private look(axis: Axis, angle: number): void {
    for (const end of ENDS[axis].towards) this.set(`eyeLook${end}`, clip(angle / gaze.one_rad));
    for (const end of ENDS[axis].back) this.set(`eyeLook${end}`, clip(-angle / gaze.one_rad));
    for (const side of ["left", "right"]) this.set(`${side}Eye${axis === "yaw" ? "Yaw" : "Pitch"}`, angle);
  }

  /** It rests, and jumps to the next target once in each period. */
  private gaze(seconds: number, axis: Axis, manner: Manner): number {
    const slot = Math.floor(seconds / manner.gaze_every_s);
    const jump = (slot + 0.1 + 0.7 * this.draws.at(30, slot)) * manner.gaze_every_s;
    const moved = smooth((seconds - jump) / gaze.saccade_s);
    return this.target(slot - 1, axis, manner) * (1 - moved) + this.target(slot, axis, manner) * moved;
  }

  private target(slot: number, axis: Axis, manner: Manner): number {
    const draw = 2 * this.draws.at(axis === "yaw" ? 31 : 32, slot) - 1;
    if (this.draws.at(33, slot) >= manner.away) return manner.gaze_near * draw;
    if (axis === "yaw") return manner.away_yaw * Math.sign(draw) * (0.6 + 0.4 * Math.abs(draw));
    return manner.away_pitch * (0.75 + 0.25 * draw);
  }

  /** One blink in each period, at any time of it; some come twice. */
  private lids(seconds: number): number {
    const now = Math.floor(seconds / blink.every_s);
    let shut = 0;
    for (const slot of [now - 1, now]) {
      const since = seconds - (slot + 0.05 + 0.9 * this.draws.at(40, slot)) * blink.every_s;
      const again = this.draws.at(41, slot) < blink.twice ? lidAt(1000 * (since - blink.again_s)) : 0;
      shut = Math.max(shut, lidAt(1000 * since), again);
    }
    return shut;
  }

  /** Smooth noise in -1..1 that turns about once in each period. */
  private wander(seconds: number, period: number, stream: number): number {
    const place = seconds / period;
    const knot = Math.floor(place);
    const [before, after] = [2 * this.draws.at(stream, knot) - 1, 2 * this.draws.at(stream, knot + 1) - 1];
    return before + (after - before) * smooth(place - knot);
  }

  private set(name: string, value: number): void {
    this.pose[placeOf(name)] = value;
  }

  private both(stem: string, value: number): void {
    this.set(`${stem}Left`, value);
    this.set(`${stem}Right`, value);
  }
}

/** A number in 0..1 for every stream and index, the same whenever it is asked for (splitmix64; Steele, Lea and Flood 2014). */
class Draws {
  private readonly known = new Map<number, number>();

  constructor(private readonly seed: bigint) {}

  at(stream: number, index: number): number {
    const key = index * 64 + stream;
    let draw = this.known.get(key);
    if (draw === undefined) {
      if (this.known.size >= KEPT_DRAWS) this.known.clear();
      draw = this.mixed(BigInt(index) + this.seed * GOLDEN + BigInt(stream) * STREAM);
      this.known.set(key, draw);
    }
    return draw;
  }

  private mixed(start: bigint): number {
    let x = start;
    for (const [shift, factor] of STEPS) {
      x = BigInt.asUintN(64, (x + GOLDEN) * factor);
      x ^= x >> shift;
    }
    return Number((x ^ (x >> 31n)) >> 11n) / 2 ** 53;
  }
}

/** How far the lids are shut, `ms` after a blink began. */
export function lidAt(ms: number): number {
  const seconds = ms / 1000;
  return smooth(seconds / blink.close_s) * (1 - smooth((seconds - blink.close_s) / blink.open_s));
}

const clip = (x: number): number => Math.min(1, Math.max(0, x));
/** 0 up to x = 0, 1 from x = 1 on, without a corner. */
const smooth = (x: number): number => 0.5 - 0.5 * Math.cos(Math.PI * clip(x));
