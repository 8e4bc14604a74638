/** The microphone: permission, echo cancellation, 24 kHz PCM16 in chunks of 40 ms. What is done with them is the caller's. */

import type { CaptureChunk } from "./capture.worklet.ts";
import code from "./capture.worklet.ts?worklet";
import { addWorklet } from "./worklets.ts";

export type MicrophoneState = "off" | "starting" | "on" | "denied" | "missing" | "failed";

const CONSTRAINTS = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };

export class Microphone {
  state: MicrophoneState = "off";
  private stream: MediaStream | null = null;
  private context: AudioContext | null = null;

  constructor(
    private readonly onChunk: (chunk: CaptureChunk) => void,
    private readonly onState: (state: MicrophoneState) => void,
  ) {}

  /** Resolves to whether it is on; a refusal is a state, not an error. */
  async start(): Promise<boolean> {
    if (this.state === "on") return true;
    this.enter("starting");
    try {
      await this.open();
      this.enter("on");
    } catch (error) {
      this.release();
      this.enter(reasonOf(error));
    }
    return this.stream !== null;
  }

  stop(): void {
    this.release();
    this.enter("off");
  }

  private async open(): Promise<void> {
    if (!navigator.mediaDevices) throw new DOMException("needs https or localhost", "SecurityError");
    this.stream = await navigator.mediaDevices.getUserMedia({ audio: CONSTRAINTS });
    this.context = new AudioContext({ latencyHint: "interactive" });
    await addWorklet(this.context, code);
    const node = new AudioWorkletNode(this.context, "a2-capture", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    node.port.onmessage = ({ data }: MessageEvent<CaptureChunk>) => this.onChunk(data);
    this.context.createMediaStreamSource(this.stream).connect(node);
    await this.context.resume();
    this.stream.getAudioTracks()[0]?.addEventListener("ended", () => this.lost());
  }

  private lost(): void {
    this.release();
    this.enter("missing");
  }

  private release(): void {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    void this.context?.close();
    this.stream = this.context = null;
  }

  private enter(state: MicrophoneState): void {
    this.state = state;
    this.onState(state);
  }
}

function reasonOf(error: unknown): MicrophoneState {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  return name === "NotFoundError" || name === "OverconstrainedError" ? "missing" : "failed";
}
