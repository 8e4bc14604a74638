/**
 * The playback queue: samples of responses in order, given out block by block, with a jitter buffer that grows when it runs
 * dry. It runs inside the playback worklet and in tests alike; its only clock is the frame number it is asked for.
 */
import { SAMPLE_RATE_HZ } from "../contract/events.ts";

/** From `frame` of the audio context on, `responseId` stands at `position` samples, moving or not. */
export interface Anchor {
  frame: number;
  responseId: string;
  position: number;
  state: "playing" | "stalled" | "finished" | "flushed";
}

interface Track {
  id: string;
  chunks: Float32Array[];
  offset: number;
  buffered: number;
  position: number;
  ended: boolean;
  playing: boolean;
}

/** A first packet may start at once when this much is there; each underrun asks for more, a good response for less. */
const TARGET_SAMPLES = { least: 0.06 * SAMPLE_RATE_HZ, most: 0.4 * SAMPLE_RATE_HZ, step: 0.08 * SAMPLE_RATE_HZ };
const FADE_SAMPLES = 0.008 * SAMPLE_RATE_HZ;
/** Share of the distance to the wanted gain that is left after one sample: 95% in 60 ms. */
const GAIN_REST = Math.exp(-3 / (0.06 * SAMPLE_RATE_HZ));

export class PlayQueue {
  underruns = 0;
  private tracks: Track[] = [];
  private target = TARGET_SAMPLES.least;
  private gain = 1;
  private wantedGain = 1;
  private fadeLeft = 0;
  private fading: Float32Array = new Float32Array(0);

  /** onAnchor is called whenever the played position starts, stops or ends. */
  constructor(private readonly onAnchor: (anchor: Anchor) => void) {}

  push(id: string, samples: Float32Array): void {
    const track = this.trackOf(id);
    if (track.ended || !samples.length) return;
    track.chunks.push(samples);
    track.buffered += samples.length;
  }

  /** No more samples of this response will come. */
  end(id: string): void {
    this.trackOf(id).ended = true;
  }

  setGain(gain: number): void {
    this.wantedGain = gain;
  }

  /** Forget everything; what is sounding fades out within 8 ms. */
  flush(frame: number): void {
    const head = this.tracks[0];
    this.fading = new Float32Array(FADE_SAMPLES);
    if (head?.playing) this.take(head, this.fading, 0);
    this.fadeLeft = head?.playing ? FADE_SAMPLES : 0;
    for (const { id, position } of this.tracks) this.onAnchor({ frame, responseId: id, position, state: "flushed" });
    this.tracks = [];
    this.wantedGain = 1;
  }

  get bufferedSamples(): number {
    return this.tracks.reduce((sum, track) => sum + track.buffered, 0);
  }

  /** Fill `out` with the next samples; `frame` is the number of its first one. */
  render(out: Float32Array, frame: number): void {
    out.fill(0);
    this.finishFade(out);
    let at = 0;
    while (at < out.length && this.tracks[0]) {
      const head = this.tracks[0];
      if (!head.playing && !this.start(head, frame + at)) break;
      at += this.take(head, out, at);
      if (!head.buffered) this.dry(head, frame + at);
    }
    this.applyGain(out);
  }

  private trackOf(id: string): Track {
    const known = this.tracks.find((candidate) => candidate.id === id);
    if (known) return known;
    const track = { id, chunks: [], offset: 0, buffered: 0, position: 0, ended: false, playing: false };
    this.tracks.push(track);
    return track;
  }

  private start(track: Track, frame: number): boolean {
    if (!track.ended && track.buffered < this.target) return false;
    track.playing = true;
    if (track.buffered) this.anchor(track, frame, "playing");
    return true;
  }

  /** Move samples from the track into `out` from `at` on; returns how many. */
  private take(track: Track, out: Float32Array, at: number): number {
    const from = at;
    while (at < out.length && track.chunks[0]) {
      const chunk = track.chunks[0];
      const part = chunk.subarray(track.offset, track.offset + out.length - at);
      out.set(part, at);
      at += part.length;
      track.offset += part.length;
      if (track.offset === chunk.length) {
        track.chunks.shift();
        track.offset = 0;
      }
    }
    track.buffered -= at - from;
    track.position += at - from;
    return at - from;
  }

  private dry(track: Track, frame: number): void {
    if (track.ended) return this.finish(track, frame);
    track.playing = false;
    // While ducked the server holds its packets on purpose.
    if (this.wantedGain === 1) {
      this.underruns++;
      this.target = Math.min(TARGET_SAMPLES.most, this.target + TARGET_SAMPLES.step);
    }
    this.anchor(track, frame, "stalled");
  }

  private finish(track: Track, frame: number): void {
    this.tracks = this.tracks.filter((other) => other !== track);
    this.target = Math.max(TARGET_SAMPLES.least, this.target - TARGET_SAMPLES.step / 4);
    this.anchor(track, frame, "finished");
  }

  private anchor(track: Track, frame: number, state: Anchor["state"]): void {
    this.onAnchor({ frame, responseId: track.id, position: track.position, state });
  }

  private finishFade(out: Float32Array): void {
    for (let s = 0; s < out.length && this.fadeLeft > 0; s++, this.fadeLeft--) {
      out[s] = this.fading[FADE_SAMPLES - this.fadeLeft]! * (this.fadeLeft / FADE_SAMPLES);
    }
  }

  private applyGain(out: Float32Array): void {
    if (this.gain === this.wantedGain && this.gain === 1) return;
    for (let s = 0; s < out.length; s++) {
      this.gain = this.wantedGain + (this.gain - this.wantedGain) * GAIN_REST;
      out[s]! *= this.gain;
    }
    if (Math.abs(this.gain - this.wantedGain) < 1e-4) this.gain = this.wantedGain;
  }
}
