/**
 * The face when the server sends none: it breathes, blinks, looks about and, while the user speaks, attends. Decided by a
 * seed and the time alone. What a good idle face does: Cassell & Thorisson 1999 (attending), Bentivoglio 1997 (17 blinks a minute).
 */
import { neutral, type Pose, placeOf } from "./pose.ts";

export type Mood = "idle" | "listening" | "thinking";

const BLINK_MS = { close: 70, hold: 30, open: 130 };
const BLINK_EVERY_MS = { shortest: 1800, spread: 4200 };
const LOOK_EVERY_MS = { shortest: 900, spread: 2600 };
const SACCADE_MS = 45;

/** Where the eyes and the head rest in a mood: gaze right/up in shares, head in radians. */
const STANCE: Record<
  Mood,
  { gazeX: number; gazeY: number; yaw: number; pitch: number; roll: number; brow: number; smile: number; wander: number }
> = {
  idle: { gazeX: 0, gazeY: 0, yaw: 0, pitch: 0, roll: 0, brow: 0, smile: 0.06, wander: 0.1 },
  listening: { gazeX: 0, gazeY: 0, yaw: 0.015, pitch: 0.02, roll: 0.045, brow: 0.12, smile: 0.08, wander: 0.04 },
  thinking: { gazeX: 0.22, gazeY: 0.2, yaw: 0.05, pitch: -0.025, roll: -0.02, brow: 0.1, smile: 0.02, wander: 0.12 },
};
type Stance = (typeof STANCE)["idle"];

export class IdleFace {
  private nextBlinkMs = 1500;
  private blinkMs = -Infinity;
  private nextLookMs = 0;
  private lookMs = 0;
  private look: [number, number] = [0, 0];
  private lookFrom: [number, number] = [0, 0];
  private readonly stance: Stance = { ...STANCE.idle };
  private lastMs = 0;
  private seed: number;
  private readonly pose = neutral();

  /** still: for people who asked for less motion; the head rests and the eyes only blink. */
  constructor(
    seed = 1,
    private readonly still: () => boolean = () => false,
  ) {
    this.seed = seed >>> 0 || 1;
  }

  /** The face at `nowMs` (any clock that only grows). The array belongs to this object. */
  at(nowMs: number, mood: Mood): Pose {
    this.settle(nowMs, STANCE[mood]);
    this.pose.fill(0);
    this.blink(nowMs);
    this.gaze(nowMs);
    this.hold(nowMs / 1000);
    return this.pose;
  }

  private settle(nowMs: number, goal: Stance): void {
    const share = 1 - Math.exp(-Math.max(0, nowMs - this.lastMs) / 260);
    for (const key of Object.keys(goal) as (keyof Stance)[]) this.stance[key] += (goal[key] - this.stance[key]) * share;
    this.lastMs = nowMs;
  }

  private blink(nowMs: number): void {
    if (nowMs >= this.nextBlinkMs) {
      this.blinkMs = nowMs;
      const again = this.random() < 0.12;
      this.nextBlinkMs = nowMs + (again ? 320 : BLINK_EVERY_MS.shortest + this.random() * BLINK_EVERY_MS.spread);
    }
    const lid = lidAt(nowMs - this.blinkMs);
    this.both("eyeBlink", lid);
    this.both("eyeSquint", lid * 0.2);
  }

  private gaze(nowMs: number): void {
    if (nowMs >= this.nextLookMs) {
      this.lookFrom = this.looking(nowMs);
      const home = this.random() < 0.55;
      const side = () => (home ? 0.15 : 1) * (this.random() * 2 - 1);
      this.look = [side(), side() * 0.6];
      this.lookMs = nowMs;
      this.nextLookMs = nowMs + LOOK_EVERY_MS.shortest + this.random() * LOOK_EVERY_MS.spread;
    }
    const [wanderX, wanderY] = this.still() ? [0, 0] : this.looking(nowMs);
    this.turnEyes(this.stance.gazeX + wanderX * this.stance.wander, this.stance.gazeY + wanderY * this.stance.wander);
  }

  private looking(nowMs: number): [number, number] {
    const share = Math.min(1, Math.max(0, (nowMs - this.lookMs) / SACCADE_MS));
    return [0, 1].map((axis) => this.lookFrom[axis]! + (this.look[axis]! - this.lookFrom[axis]!) * share) as [number, number];
  }

  /** x to the avatar's left, y up, in shares of the morphs. */
  private turnEyes(x: number, y: number): void {
    this.set(x > 0 ? "eyeLookOutLeft" : "eyeLookInLeft", Math.abs(x));
    this.set(x > 0 ? "eyeLookInRight" : "eyeLookOutRight", Math.abs(x));
    this.both(y > 0 ? "eyeLookUp" : "eyeLookDown", Math.abs(y));
  }

  private hold(seconds: number): void {
    const sway = this.still() ? 0 : 1;
    const { yaw, pitch, roll, brow, smile } = this.stance;
    this.set("headYaw", yaw + sway * (0.016 * Math.sin(seconds * 0.43) + 0.009 * Math.sin(seconds * 1.03 + 1)));
    this.set("headPitch", pitch + sway * (0.009 * Math.sin(seconds * 0.61 + 2) + 0.005 * Math.sin(seconds * 1.7)));
    this.set("headRoll", roll + sway * 0.009 * Math.sin(seconds * 0.37 + 0.5));
    this.set("browInnerUp", brow + sway * 0.02 * (1 + Math.sin(seconds * 0.29)));
    this.both("mouthSmile", smile);
  }

  private set(name: string, value: number): void {
    this.pose[placeOf(name)] = value;
  }

  private both(stem: string, value: number): void {
    this.set(`${stem}Left`, value);
    this.set(`${stem}Right`, value);
  }

  /** xorshift32: 0 <= x < 1. */
  private random(): number {
    let x = this.seed;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.seed = x >>> 0;
    return this.seed / 2 ** 32;
  }
}

/** How far the lids are shut, `ms` after a blink began. */
export function lidAt(ms: number): number {
  const { close, hold, open } = BLINK_MS;
  if (ms < 0 || ms >= close + hold + open) return 0;
  if (ms < close) return ease(ms / close);
  return ms < close + hold ? 1 : ease(1 - (ms - close - hold) / open);
}

const ease = (x: number): number => x * x * (3 - 2 * x);
