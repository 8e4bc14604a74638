/** What is known of one response on its way to the ear. Numbers only; media.ts acts. */
import type { PlaybackMoments } from "../telemetry/spans.ts";

export interface Track extends PlaybackMoments {
  itemId: string;
  receivedSamples: number;
  /** First audible sample of the response, once it has arrived. */
  voicedSample: number | null;
  /** When its first sample was heard, milliseconds since 1970. */
  startedMs: number | null;
  metadata: Record<string, string>;
}

/** Quieter than this is the silence before the first word. */
const AUDIBLE = 160; // of 32768: -46 dBFS

export function newTrack(responseId: string, metadata: Record<string, string>, underruns: number, turnEndedMs: number | null): Track {
  return {
    ...{ responseId, metadata, underruns, turnEndedMs, traceparent: metadata["a2.traceparent"] ?? null },
    ...{ itemId: "", receivedSamples: 0, voicedSample: null, startedMs: null, receivedMs: null },
    ...{ firstAudioMs: null, firstMotionMs: null, endedMs: 0, playedMs: 0, cut: false },
  };
}

/** Place of the first audible sample in PCM16, or null. */
export function firstVoiced(pcm16: Uint8Array): number | null {
  const view = new DataView(pcm16.buffer, pcm16.byteOffset, pcm16.byteLength);
  for (let s = 0; s < pcm16.byteLength >> 1; s++) if (Math.abs(view.getInt16(s * 2, true)) > AUDIBLE) return s;
  return null;
}
