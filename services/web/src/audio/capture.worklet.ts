/** The microphone on the audio thread: device rate -> 24 kHz, posted in chunks of 40 ms as { pcm: PCM16, level: RMS 0..1 }. */
import { SAMPLE_RATE_HZ } from "../contract/events.ts";
import { floatToPcm } from "../wire/bytes.ts";
import { Resampler } from "./resampler.ts";

export interface CaptureChunk {
  pcm: Uint8Array;
  level: number;
}

const CHUNK_SAMPLES = 0.04 * SAMPLE_RATE_HZ;

class Capture extends AudioWorkletProcessor {
  private readonly resampler = new Resampler(sampleRate, SAMPLE_RATE_HZ);
  private readonly chunk = new Float32Array(CHUNK_SAMPLES);
  private filled = 0;

  override process(inputs: Float32Array[][]): boolean {
    const channel = inputs[0]?.[0];
    if (channel) this.collect(this.resampler.process(channel));
    return true;
  }

  private collect(samples: Float32Array): void {
    for (const sample of samples) {
      this.chunk[this.filled++] = sample;
      if (this.filled === CHUNK_SAMPLES) this.post();
    }
  }

  private post(): void {
    const pcm = floatToPcm(this.chunk);
    const level = Math.sqrt(this.chunk.reduce((sum, x) => sum + x * x, 0) / CHUNK_SAMPLES);
    this.port.postMessage({ pcm, level } satisfies CaptureChunk, [pcm.buffer]);
    this.filled = 0;
  }
}

registerProcessor("a2-capture", Capture);
