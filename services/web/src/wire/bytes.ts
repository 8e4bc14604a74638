/** The wire's bytes as numbers: base64, PCM16, float16. Little-endian, whatever this machine is. */

export function fromBase64(text: string): Uint8Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let i = 0; i < bytes.length; i += 8192) binary += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(binary);
}

/** One scale both ways, so that bytes come back as they were; a2llm/pcm16.py is the same, held by tests/contract/golden/pcm16.json. */
const PCM_SCALE = 32_768;

/** PCM16 -> samples in -1..1; an odd last byte is dropped. */
export function pcmToFloat(bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const samples = new Float32Array(bytes.byteLength >> 1);
  for (let s = 0; s < samples.length; s++) samples[s] = view.getInt16(s * 2, true) / PCM_SCALE;
  return samples;
}

/** Samples (clipped to -1..1) -> PCM16. */
export function floatToPcm(samples: Float32Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(samples.length * 2);
  const view = new DataView(bytes.buffer);
  for (let s = 0; s < samples.length; s++) {
    view.setInt16(s * 2, Math.max(-PCM_SCALE, Math.min(PCM_SCALE - 1, Math.round(samples[s]! * PCM_SCALE))), true);
  }
  return bytes;
}

/** IEEE 754 binary16 -> number: subnormals, infinities and NaN included. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

export function halvesToFloats(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float32Array(bytes.byteLength >> 1);
  for (let i = 0; i < values.length; i++) values[i] = halfToFloat(view.getUint16(i * 2, true));
  return values;
}
