/**
 * The master clock: which sample of which response is heard at a frame of the audio context. Built from the queue's anchors;
 * between two of them the position runs with the frames or stands. It asks no device what time it is.
 */
import { SAMPLE_RATE_HZ } from "../contract/events.ts";
import type { Anchor } from "./queue.ts";

export interface Position {
  responseId: string;
  samples: number;
  state: Anchor["state"];
}

const KEPT_ANCHORS = 64;

export class PlaybackClock {
  private readonly anchors: Anchor[] = [];

  add(anchor: Anchor): void {
    this.anchors.push(anchor);
    if (this.anchors.length > KEPT_ANCHORS) this.anchors.shift();
  }

  /** What is heard at `frame` (context frames, already reduced by the output latency); null before anything was played. */
  at(frame: number): Position | null {
    const anchor = this.anchors.findLast((candidate) => candidate.frame <= frame);
    if (!anchor) return null;
    const moved = anchor.state === "playing" ? Math.floor(frame - anchor.frame) : 0;
    return { responseId: anchor.responseId, samples: anchor.position + moved, state: anchor.state };
  }
}

export const samplesToMs = (samples: number): number => (samples * 1000) / SAMPLE_RATE_HZ;
