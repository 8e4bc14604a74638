/**
 * Which face to show now: speech at the heard position, over listening motion from the server, over the own idle face. Each
 * layer fades in and out, so a cut or a missing packet ends in a short way back and never in a jump. It draws nothing.
 */
import { IdleFace, type Mood } from "./idle.ts";
import { blend, HEAD_ROTATIONS, neutral, type Pose, placeOf } from "./pose.ts";
import { type Columns, Timeline } from "./timeline.ts";

/** Where the listener is in a response. */
export interface Heard {
  responseId: string;
  ms: number;
}

/** Speech fades in fast (the first syllable must be seen) and out within the protocol's 200-300 ms. */
const SPEECH_IN_MS = 60;
const SPEECH_OUT_MS = 240;
const AMBIENT_IN_MS = 200;
const AMBIENT_OUT_MS = 400;
/** Server motion on the input clock is shown this much later than it arrives: its jitter buffer. */
const AMBIENT_DELAY_MS = 120;
const CALM_HEAD = 0.4;

export class Face {
  private readonly speech = new Map<string, Timeline>();
  private ambient = new Timeline();
  private ambientOffsetMs: number | null = null;
  private speechWeight = 0;
  private ambientWeight = 0;
  private lastMs = 0;
  private readonly idle: IdleFace;
  private readonly out = neutral();
  private readonly speechPose = neutral();
  private readonly ambientPose = neutral();

  /** calm: the user asked for less motion. */
  constructor(
    private readonly calm: () => boolean = () => false,
    seed = Date.now(),
  ) {
    this.idle = new IdleFace(seed, calm);
  }

  begin(responseId: string, columns: Columns): void {
    const timeline = this.timelineOf(responseId);
    timeline.setColumns(columns);
    for (const old of this.speech.keys()) if (this.speech.size > 3) this.speech.delete(old);
  }

  addSpeech(responseId: string, startMs: number, values: ArrayLike<number>): void {
    this.speech.get(responseId)?.push(startMs, values);
  }

  /** Nothing of this response moves the face after `ms`. */
  cutSpeech(responseId: string, ms: number): void {
    this.speech.get(responseId)?.cut(ms);
  }

  /** Motion on the input clock; a gap or a jump of that clock starts it anew. */
  addAmbient(nowMs: number, startMs: number, columns: Columns, values: ArrayLike<number>): void {
    const due = startMs + (this.ambientOffsetMs ?? 0);
    if (this.ambientOffsetMs === null || due < nowMs - 250 || due > nowMs + 4000) {
      this.ambient = new Timeline();
      this.ambientOffsetMs = nowMs + AMBIENT_DELAY_MS - startMs;
    }
    this.ambient.setColumns(columns);
    this.ambient.push(startMs, values);
  }

  /** The face at `nowMs`, and how much of it is speech (0..1). The array belongs to this object. */
  at(nowMs: number, heard: Heard | null, mood: Mood): { pose: Pose; speech: number } {
    const elapsed = Math.max(0, nowMs - this.lastMs);
    this.lastMs = nowMs;
    const speaking = heard ? this.speech.get(heard.responseId)?.at(heard.ms, this.speechPose) : null;
    if (speaking) this.speech.get(heard!.responseId)!.forgetBefore(heard!.ms);
    this.speechWeight = fade(this.speechWeight, !!speaking, elapsed, SPEECH_IN_MS, SPEECH_OUT_MS);
    this.ambientWeight = fade(this.ambientWeight, this.ambientNow(nowMs), elapsed, AMBIENT_IN_MS, AMBIENT_OUT_MS);
    this.out.set(this.idle.at(nowMs, mood));
    blend(this.out, this.ambientPose, smooth(this.ambientWeight));
    blend(this.out, this.speechPose, smooth(this.speechWeight));
    if (this.calm()) for (const name of HEAD_ROTATIONS) this.out[placeOf(name)]! *= CALM_HEAD;
    return { pose: this.out, speech: this.speechWeight };
  }

  private ambientNow(nowMs: number): boolean {
    if (this.ambientOffsetMs === null) return false;
    const ms = nowMs - this.ambientOffsetMs;
    this.ambient.forgetBefore(ms);
    return this.ambient.at(ms, this.ambientPose) !== null;
  }

  private timelineOf(responseId: string): Timeline {
    const timeline = this.speech.get(responseId) ?? new Timeline();
    this.speech.set(responseId, timeline);
    return timeline;
  }
}

function fade(weight: number, on: boolean, elapsedMs: number, inMs: number, outMs: number): number {
  return on ? Math.min(1, weight + elapsedMs / inMs) : Math.max(0, weight - elapsedMs / outMs);
}

const smooth = (x: number): number => x * x * (3 - 2 * x);
