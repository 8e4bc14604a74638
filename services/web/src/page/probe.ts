/** window.__a2: what end-to-end tests may look at. Nothing on the page reads it. */
import type { A2Avatar } from "../avatar/avatar.ts";

interface Sample {
  atMs: number;
  responseId: string;
  playedMs: number;
  jawOpen: number;
  mouthClose: number;
}

const KEPT_SAMPLES = 3000;

export function exposeProbe(avatar: A2Avatar): void {
  const trace: Sample[] = [];
  const sample = () => {
    requestAnimationFrame(sample);
    const { drawn } = avatar;
    if (!drawn) return;
    const { jawOpen = 0, mouthClose = 0 } = avatar.morphs();
    trace.push({ atMs: performance.now(), responseId: drawn.responseId, playedMs: drawn.ms, jawOpen, mouthClose });
    if (trace.length > KEPT_SAMPLES) trace.shift();
  };
  requestAnimationFrame(sample);
  const probe = {
    get state() {
      return avatar.state;
    },
    get turns() {
      return avatar.turns;
    },
    get captions() {
      return avatar.captions.map(({ who, text, final }) => ({ who, text, final }));
    },
    get playedMs() {
      return avatar.playedMs;
    },
    get microphone() {
      return avatar.microphone;
    },
    get lastError() {
      return avatar.lastError;
    },
    morphs: () => avatar.morphs(),
    /** The mouth at each drawn frame of speech, on the played clock. */
    trace,
  };
  Object.assign(window, { __a2: probe });
}
