/**
 * What the user says, on its way out: open microphone (the server finds the turns) or push-to-talk (the user does). It keeps the
 * input clock: milliseconds of audio sent in this session.
 */
import type { CaptureChunk } from "../audio/capture.worklet.ts";
import { Microphone, type MicrophoneState } from "../audio/microphone.ts";
import { toBase64 } from "../wire/bytes.ts";
import type { ClientEvent, SemanticVad, ServerVad } from "../wire/events.ts";

export interface HearingPorts {
  send(event: ClientEvent): boolean;
  onMicrophone(state: MicrophoneState): void;
  onLevel(level: number): void;
  /** The user handed the turn over (true) or took it back (false). */
  onTurn(over: boolean): void;
  /** How the server shall find turns while the microphone is open. */
  turnDetection: ServerVad | SemanticVad;
}

const CHUNK_MS = 40;
/** The first sound of a word often comes before the key is down. */
const PREROLL_CHUNKS = 6;
/** A click is no speech. */
const SHORTEST_TALK_MS = 250;
/** After the key is up: what the device still holds. */
const TAIL_MS = 120;
/** So long the microphone stays ready for the next push; then its lamp goes out. */
const WARM_MS = 20_000;

export class Hearing {
  /** Open microphone. */
  open = false;
  /** The talk key is down. */
  talking = false;
  private readonly microphone: Microphone;
  private preroll: CaptureChunk[] = [];
  private sentMs = 0;
  private lastChunkAt = 0;
  private pressedAt = 0;
  private cooling: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly ports: HearingPorts) {
    this.microphone = new Microphone(
      (chunk) => this.take(chunk),
      (state) => this.follow(state),
    );
  }

  get state(): MicrophoneState {
    return this.microphone.state;
  }

  get turnDetection(): ServerVad | SemanticVad | null {
    return this.open ? this.ports.turnDetection : null;
  }

  /** Resolves to whether the microphone is on. */
  async start(): Promise<boolean> {
    clearTimeout(this.cooling);
    this.open = await this.microphone.start();
    if (!this.open) return false;
    this.announce();
    this.ports.onMicrophone(this.microphone.state); // from now on it is open, which the state alone does not tell
    return true;
  }

  stop(): void {
    clearTimeout(this.cooling);
    if (this.open) this.ports.send({ type: "input_audio_buffer.clear" });
    this.open = this.talking = false;
    this.microphone.stop();
    this.announce();
  }

  async press(): Promise<void> {
    if (this.open || this.talking) return;
    clearTimeout(this.cooling);
    this.talking = true;
    this.pressedAt = performance.now();
    this.ports.send({ type: "input_audio_buffer.clear" });
    for (const chunk of this.preroll.splice(0)) this.forward(chunk);
    if (!(await this.microphone.start())) this.talking = false;
  }

  /** The user's turn is over, unless the key was only touched. */
  release(): void {
    if (!this.talking) return;
    const spoke = performance.now() - this.pressedAt >= SHORTEST_TALK_MS && this.microphone.state === "on";
    this.ports.onTurn(spoke);
    setTimeout(() => this.finish(spoke), spoke ? TAIL_MS : 0);
    this.cooling = setTimeout(() => this.microphone.stop(), WARM_MS);
  }

  /** A new session counts from zero. */
  resetClock(): void {
    this.sentMs = 0;
  }

  /** When (performance.now) the microphone took the sample at `ms` of the input clock; now, where that is not known. */
  momentOf(ms: number): number {
    const at = this.lastChunkAt - (this.sentMs - ms);
    const now = performance.now();
    return at <= now && now - at < 10_000 ? at : now;
  }

  private finish(spoke: boolean): void {
    this.talking = false;
    if (!spoke) {
      this.ports.send({ type: "input_audio_buffer.clear" });
      return;
    }
    this.ports.send({ type: "input_audio_buffer.commit" });
    this.ports.send({ type: "response.create" });
  }

  private take(chunk: CaptureChunk): void {
    this.ports.onLevel(chunk.level);
    if (this.open || this.talking) return this.forward(chunk);
    this.preroll.push(chunk);
    if (this.preroll.length > PREROLL_CHUNKS) this.preroll.shift();
  }

  private forward({ pcm }: CaptureChunk): void {
    if (!this.ports.send({ type: "input_audio_buffer.append", audio: toBase64(pcm) })) return;
    this.sentMs += CHUNK_MS;
    this.lastChunkAt = performance.now();
  }

  private follow(state: MicrophoneState): void {
    if (state !== "on" && state !== "starting") {
      this.preroll = [];
      this.ports.onLevel(0);
      if (this.open) {
        this.open = false;
        this.announce();
      }
    }
    this.ports.onMicrophone(state);
  }

  private announce(): void {
    this.ports.send({ type: "session.update", session: { type: "realtime", audio: { input: { turn_detection: this.turnDetection } } } });
  }
}
