/** The voice: a 24 kHz audio context with the playback worklet, and the heard position, output latency taken off. */
import { SAMPLE_RATE_HZ } from "../contract/events.ts";
import { pcmToFloat } from "../wire/bytes.ts";
import { PlaybackClock, type Position } from "./clock.ts";
import type { PlaybackCommand, PlaybackReport } from "./playback.worklet.ts";
import code from "./playback.worklet.ts?worklet";
import type { Anchor } from "./queue.ts";
import { addWorklet } from "./worklets.ts";

const DUCKED_GAIN = 0.2;

export class Player {
  underruns = 0;
  bufferedMs = 0;
  private readonly clock = new PlaybackClock();
  private readonly ready: Promise<void>;
  private readonly context: AudioContext;
  private node: AudioWorkletNode | null = null;
  private readonly waiting: PlaybackCommand[] = [];

  /** onAnchor: playback of a response started, stalled or ended on the audio thread; it is heard `inMs` from now. */
  constructor(private readonly onAnchor: (anchor: Anchor, inMs: number) => void) {
    this.context = new AudioContext({ sampleRate: SAMPLE_RATE_HZ, latencyHint: "interactive" });
    this.ready = this.connect();
  }

  /** Browsers keep sound off until the user touches the page: call this from a click or key. */
  async resume(): Promise<void> {
    await this.ready;
    if (this.context.state !== "running") await this.context.resume();
  }

  /** True while the browser waits for that touch. */
  get blocked(): boolean {
    return this.context.state === "suspended";
  }

  push(responseId: string, pcm16: Uint8Array): void {
    const samples = pcmToFloat(pcm16);
    this.tell({ kind: "push", id: responseId, samples }, [samples.buffer]);
  }

  end(responseId: string): void {
    this.tell({ kind: "end", id: responseId });
  }

  flush(): void {
    this.tell({ kind: "flush" });
  }

  duck(on: boolean): void {
    this.tell({ kind: "gain", value: on ? DUCKED_GAIN : 1 });
  }

  /** What the listener hears now. */
  heard(): Position | null {
    return this.clock.at((this.context.currentTime - this.latencySeconds) * SAMPLE_RATE_HZ);
  }

  async close(): Promise<void> {
    await this.context.close();
  }

  private get latencySeconds(): number {
    return this.context.outputLatency || this.context.baseLatency || 0;
  }

  private async connect(): Promise<void> {
    await addWorklet(this.context, code);
    this.node = new AudioWorkletNode(this.context, "a2-playback", { numberOfInputs: 0, outputChannelCount: [1] });
    this.node.port.onmessage = ({ data }: MessageEvent<PlaybackReport>) => this.hear(data);
    this.node.connect(this.context.destination);
    for (const command of this.waiting.splice(0)) this.tell(command);
  }

  private tell(command: PlaybackCommand, transfer: Transferable[] = []): void {
    if (this.node) this.node.port.postMessage(command, transfer);
    else this.waiting.push(command);
  }

  private hear(report: PlaybackReport): void {
    if (report.kind === "stats") {
      this.underruns = report.underruns;
      this.bufferedMs = (report.bufferedSamples * 1000) / SAMPLE_RATE_HZ;
      return;
    }
    this.clock.add(report.anchor);
    const inSeconds = report.anchor.frame / SAMPLE_RATE_HZ - this.context.currentTime + this.latencySeconds;
    this.onAnchor(report.anchor, inSeconds * 1000);
  }
}
