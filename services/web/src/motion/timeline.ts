/**
 * Motion frames on a clock in milliseconds: kept as they arrive, sampled between frames. Frame k of a packet is at
 * start_ms + k * 1000 / fps. It knows no audio and no wall clock.
 */
import { neutral, type Pose, placeOf } from "./pose.ts";

/** What a2.motion.header says, or a listening packet repeats. */
export interface Columns {
  fps: number;
  names: readonly string[];
}

/** Beyond this distance from a frame there is nothing to show: a packet is missing or late. */
const REACH_FRAMES = 1.5;

export class Timeline {
  private readonly frames: { ms: number; pose: Pose }[] = [];
  private places: number[] = [];
  private frameMs = 1000 / 30;

  /** Set or change what the following values mean. */
  setColumns({ fps, names }: Columns): void {
    this.frameMs = 1000 / fps;
    this.places = names.map(placeOf);
  }

  /** values [frames, C] row by row. Late frames find their place; a frame at a time that is already known replaces it. */
  push(startMs: number, values: ArrayLike<number>): void {
    const width = this.places.length;
    for (let frame = 0; width && (frame + 1) * width <= values.length; frame++) {
      this.insert(startMs + frame * this.frameMs, this.poseOf(values, frame * width));
    }
  }

  /** The face at `ms`, linear between its neighbours; null where no frame is near. */
  at(ms: number, into: Pose): Pose | null {
    const after = this.indexAfter(ms);
    const [previous, next] = [this.frames[after - 1], this.frames[after]];
    const reach = REACH_FRAMES * this.frameMs;
    if (!previous && !next) return null;
    if (!previous) return next!.ms - ms <= reach ? copy(next!.pose, into) : null;
    if (!next || next.ms - previous.ms > 2 * reach) return ms - previous.ms <= reach ? copy(previous.pose, into) : null;
    return mix(previous.pose, next.pose, (ms - previous.ms) / (next.ms - previous.ms), into);
  }

  /** Where the last frame is, or -Infinity. */
  get endMs(): number {
    return this.frames.at(-1)?.ms ?? -Infinity;
  }

  /** A cut: forget all frames from `ms` on. */
  cut(ms: number): void {
    this.frames.length = this.indexAfter(ms);
  }

  /** Forget what lies more than two frames before `ms`. */
  forgetBefore(ms: number): void {
    const keep = this.indexAfter(ms - 2 * this.frameMs);
    if (keep > 64) this.frames.splice(0, keep - 1);
  }

  private poseOf(values: ArrayLike<number>, start: number): Pose {
    const pose = neutral();
    this.places.forEach((place, column) => {
      const value = values[start + column]!;
      if (place >= 0 && Number.isFinite(value)) pose[place] = value;
    });
    return pose;
  }

  private insert(ms: number, pose: Pose): void {
    const after = this.indexAfter(ms);
    const previous = this.frames[after - 1];
    if (previous && ms - previous.ms < 0.01) previous.pose = pose;
    else this.frames.splice(after, 0, { ms, pose });
  }

  /** Number of frames at or before `ms`. */
  private indexAfter(ms: number): number {
    let [low, high] = [0, this.frames.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.frames[middle]!.ms <= ms + 0.005) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function copy(from: Pose, into: Pose): Pose {
  into.set(from);
  return into;
}

function mix(a: Pose, b: Pose, share: number, into: Pose): Pose {
  for (let c = 0; c < into.length; c++) into[c] = a[c]! + (b[c]! - a[c]!) * share;
  return into;
}
