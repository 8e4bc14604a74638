/**
 * Figures of each turn, from moments that the caller measures (milliseconds on one wall clock). Words as in the design's
 * vocabulary: TTFA end of the user's turn -> first audible sample; FRL -> first packet of audio and motion; RTF compute time /
 * audio duration, from the server (metadata `a2.compute_ms`), else unknown.
 */

export interface Turn {
  readonly responseId: string;
  ttfaMs: number | null;
  ttfmMs: number | null;
  frlMs: number | null;
  rtf: number | null;
  underruns: number;
  audioMs: number;
  status: string;
}

interface Open {
  turn: Turn;
  fromMs: number | null;
  audioAt: number | null;
  motionAt: number | null;
  underrunsBefore: number;
}

const KEPT_TURNS = 50;

export class TurnLog {
  readonly turns: Turn[] = [];
  private readonly open = new Map<string, Open>();
  private userEndedMs: number | null = null;

  /** The user's turn ended: the last voiced sample, the key that was released, the text that was sent. */
  userEnded(atMs: number): void {
    this.userEndedMs = atMs;
  }

  /** Returns when the user's turn ended that it answers, or null. */
  created(responseId: string, underruns: number): number | null {
    const turn: Turn = { responseId, ttfaMs: null, ttfmMs: null, frlMs: null, rtf: null, underruns: 0, audioMs: 0, status: "in_progress" };
    const fromMs = this.userEndedMs;
    this.open.set(responseId, { turn, fromMs, audioAt: null, motionAt: null, underrunsBefore: underruns });
    this.userEndedMs = null;
    this.turns.push(turn);
    if (this.turns.length > KEPT_TURNS) this.turns.shift();
    return fromMs;
  }

  /** A packet arrived, with so much audio (0: motion only). */
  packet(responseId: string, kind: "audio" | "motion", atMs: number, audioMs = 0): void {
    const open = this.open.get(responseId);
    if (!open) return;
    open.turn.audioMs += audioMs;
    if (kind === "audio") open.audioAt ??= atMs;
    else open.motionAt ??= atMs;
    if (open.audioAt !== null && open.motionAt !== null) open.turn.frlMs ??= since(open, Math.max(open.audioAt, open.motionAt));
  }

  heard(responseId: string, atMs: number): void {
    const open = this.open.get(responseId);
    if (open) open.turn.ttfaMs ??= since(open, atMs);
  }

  seen(responseId: string, atMs: number): void {
    const open = this.open.get(responseId);
    if (open) open.turn.ttfmMs ??= since(open, atMs);
  }

  done(responseId: string, status: string, computeMs: number | null): void {
    const turn = this.turns.find((known) => known.responseId === responseId);
    if (!turn) return;
    turn.status = status;
    turn.rtf = computeMs !== null && turn.audioMs > 0 ? computeMs / turn.audioMs : null;
  }

  /** Playback of the response is over. */
  played(responseId: string, underruns: number): void {
    const open = this.open.get(responseId);
    if (!open) return;
    open.turn.underruns = underruns - open.underrunsBefore;
    this.open.delete(responseId);
  }
}

function since({ fromMs }: Open, atMs: number): number | null {
  return fromMs === null ? null : Math.max(0, Math.round(atMs - fromMs));
}
