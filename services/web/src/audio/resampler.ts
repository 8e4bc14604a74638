/**
 * A stream at the microphone's rate -> 24 kHz, by windowed-sinc interpolation (Smith, "Digital Audio Resampling", 2002).
 * Firefox refuses a microphone on a context of another rate, so the context keeps the device's own. Any chunk sizes.
 */

const LOBES = 12;
const PHASES = 256;

export class Resampler {
  private readonly step: number; // input samples per output sample
  private readonly half: number; // reach of the kernel, input samples
  private readonly kernel: Float32Array; // right half of the kernel, PHASES values per input sample
  private tail: Float32Array;
  private next: number; // place of the next output sample in tail + new input

  /** Rates in hertz. */
  constructor(
    fromHz: number,
    readonly toHz: number,
  ) {
    this.step = fromHz / toHz;
    const cutoff = Math.min(1, toHz / fromHz) * 0.92;
    this.half = Math.ceil(LOBES / cutoff);
    this.kernel = halfKernel(cutoff, this.half);
    this.tail = new Float32Array(this.half);
    this.next = this.half;
  }

  /** The output that the input so far decides; the rest follows with later input. */
  process(input: Float32Array): Float32Array {
    const samples = new Float32Array(this.tail.length + input.length);
    samples.set(this.tail);
    samples.set(input, this.tail.length);
    const count = Math.max(0, Math.ceil((samples.length - this.half - this.next) / this.step));
    const out = new Float32Array(count);
    for (let s = 0; s < count; s++, this.next += this.step) out[s] = this.valueAt(samples, this.next);
    const used = Math.max(0, Math.min(samples.length, Math.floor(this.next) - this.half));
    this.tail = samples.slice(used);
    this.next -= used;
    return out;
  }

  private valueAt(samples: Float32Array, place: number): number {
    const first = Math.max(0, Math.ceil(place - this.half));
    const last = Math.min(samples.length - 1, Math.floor(place + this.half));
    let sum = 0;
    for (let i = first; i <= last; i++) {
      const distance = Math.abs(i - place) * PHASES;
      const k = distance | 0;
      sum += samples[i]! * (this.kernel[k]! + (this.kernel[k + 1]! - this.kernel[k]!) * (distance - k));
    }
    return sum;
  }
}

/** Blackman-windowed sinc, cutoff in shares of the input's Nyquist rate. */
function halfKernel(cutoff: number, half: number): Float32Array {
  const kernel = new Float32Array(half * PHASES + 2);
  for (let k = 0; k <= half * PHASES; k++) {
    const x = k / PHASES;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * x * cutoff) / (Math.PI * x * cutoff);
    const turn = (Math.PI * x) / half;
    kernel[k] = cutoff * sinc * (0.42 + 0.5 * Math.cos(turn) + 0.08 * Math.cos(2 * turn));
  }
  return kernel;
}
