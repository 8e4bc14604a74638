/** The playback queue on the audio thread. Messages in: PlaybackCommand; out: PlaybackReport. All policy is in queue.ts. */
import { type Anchor, PlayQueue } from "./queue.ts";

export type PlaybackCommand =
  | { kind: "push"; id: string; samples: Float32Array }
  | { kind: "end"; id: string }
  | { kind: "flush" }
  | { kind: "gain"; value: number };

export type PlaybackReport = { kind: "anchor"; anchor: Anchor } | { kind: "stats"; underruns: number; bufferedSamples: number };

const REPORT_EVERY_BLOCKS = 20; // 107 ms

class Playback extends AudioWorkletProcessor {
  private blocks = 0;
  private readonly queue = new PlayQueue((anchor) => this.report({ kind: "anchor", anchor }));

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<PlaybackCommand>) => this.obey(data);
  }

  override process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const channels = outputs[0]!;
    this.queue.render(channels[0]!, currentFrame);
    for (const channel of channels.slice(1)) channel.set(channels[0]!);
    if (++this.blocks % REPORT_EVERY_BLOCKS === 0) {
      this.report({ kind: "stats", underruns: this.queue.underruns, bufferedSamples: this.queue.bufferedSamples });
    }
    return true;
  }

  private obey(command: PlaybackCommand): void {
    if (command.kind === "push") this.queue.push(command.id, command.samples);
    else if (command.kind === "end") this.queue.end(command.id);
    else if (command.kind === "flush") this.queue.flush(currentFrame);
    else this.queue.setGain(command.value);
  }

  private report(message: PlaybackReport): void {
    this.port.postMessage(message);
  }
}

registerProcessor("a2-playback", Playback);
