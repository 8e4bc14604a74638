/**
 * One response after another, from packets to eyes and ears: sound to the player, motion to the face, positions back to the
 * server, figures to the turn log, spans to telemetry. What was cut stays silent, whatever still arrives.
 */
import { type Position, samplesToMs } from "../audio/clock.ts";
import type { Anchor } from "../audio/queue.ts";
import { PacketKind } from "../contract/events.ts";
import type { TurnLog } from "../conversation/turns.ts";
import type { Face, Heard } from "../motion/face.ts";
import { COEFFICIENTS } from "../motion/pose.ts";
import type { Columns } from "../motion/timeline.ts";
import type { PlaybackMoments } from "../telemetry/spans.ts";
import { fromBase64, halvesToFloats } from "../wire/bytes.ts";
import type { ClientEvent, MessageItem, ResponseBody, ServerEvent } from "../wire/events.ts";
import type { MediaPacket } from "../wire/packets.ts";
import { firstVoiced, newTrack, type Track } from "./track.ts";

/** The part of Player that is used here; tests pass their own. */
export interface Sound {
  readonly underruns: number;
  push(responseId: string, pcm16: Uint8Array): void;
  end(responseId: string): void;
  flush(): void;
  duck(on: boolean): void;
  heard(): Position | null;
}

export interface MediaPorts {
  sound: Sound;
  face: Face;
  turns: TurnLog;
  send(event: ClientEvent): void;
  report(moments: PlaybackMoments): void;
  /** Milliseconds since 1970. */
  now(): number;
}

const REPORT_EVERY_MS = 250;
const KEPT_TRACKS = 8;

export class Media {
  private readonly tracks = new Map<string, Track>();
  private readonly cancelled = new Set<string>();
  private columns: Columns = { fps: 30, names: COEFFICIENTS };
  private reportedMs = 0;

  constructor(private readonly ports: MediaPorts) {}

  onEvent(event: ServerEvent): void {
    switch (event.type) {
      case "session.created": // of a resumed session: what the old socket did not bring will not come
        for (const track of this.tracks.values()) this.ports.sound.end(track.responseId);
        return;
      case "response.created":
        return this.created(event.response);
      case "response.output_item.added":
        return event.item.type === "message" ? this.itemAdded(event.response_id, event.item) : undefined;
      case "response.output_audio.delta":
        return this.audio(event.response_id, fromBase64(event.delta));
      case "response.output_audio.done":
        return this.ports.sound.end(event.response_id);
      case "response.done":
        return this.done(event.response);
      case "a2.motion.header":
        this.columns = { fps: event.fps, names: event.coefficient_names };
        return this.ports.face.begin(event.response_id, this.columns);
      case "a2.motion.delta":
        return this.motion(event.response_id, event.start_ms, numbers(event.values));
      case "a2.listening.delta":
        return this.ambient(event.start_ms, event.fps, numbers(event.values));
      case "a2.duck":
      case "a2.unduck":
        return this.ports.sound.duck(event.type === "a2.duck");
    }
  }

  /** A binary frame; returns the milliseconds of audio in it (the words' clock runs with them). */
  onPacket(packet: MediaPacket): number {
    const startMs = samplesToMs(packet.ptsSamples);
    if (packet.kind === PacketKind.MOTION) this.motion(packet.responseId, startMs, halvesToFloats(packet.payload));
    if (packet.kind === PacketKind.LISTENING) this.ambient(startMs, this.columns.fps, halvesToFloats(packet.payload));
    if (packet.kind !== PacketKind.AUDIO) return 0;
    this.audio(packet.responseId, packet.payload);
    return samplesToMs(packet.payload.length / 2);
  }

  /** Where the listener is, while a response sounds or has just ended. */
  get heard(): Heard | null {
    const position = this.ports.sound.heard();
    const gone = !position || position.state === "finished" || position.state === "flushed" || this.cancelled.has(position.responseId);
    return gone ? null : { responseId: position.responseId, ms: samplesToMs(position.samples) };
  }

  /** A response sounds, or its first packets wait for the jitter buffer. */
  get sounding(): boolean {
    return [...this.tracks.values()].some((track) => track.receivedSamples > 0);
  }

  /** Whether some of a response is still to be heard. */
  unheard(responseId: string): boolean {
    return this.tracks.has(responseId);
  }

  /** Silence now. Returns what was heard of what, for captions; empty when nothing sounded. */
  cut(): Heard[] {
    const heard = this.heard;
    const cuts = [...this.tracks.values()].filter((track) => !this.cancelled.has(track.responseId));
    this.ports.sound.flush();
    this.ports.sound.duck(false);
    return cuts.map((track) => this.cutTrack(track, heard?.responseId === track.responseId ? heard.ms : 0));
  }

  /** Playback of a response started, stalled or ended; it is audible in `inMs`. */
  onAnchor(anchor: Anchor, inMs: number): void {
    const track = this.tracks.get(anchor.responseId);
    if (!track) return;
    if (anchor.state === "playing" && track.startedMs === null) {
      track.startedMs = this.ports.now() + inMs;
      this.measureFirstAudio(track);
      this.playback(track, "started", 0);
    }
    if (anchor.state === "finished") this.over(track, samplesToMs(anchor.position), false, inMs);
  }

  /** Every frame: tell the server where we are, note when the mouth first moved. */
  tick(speechOnFace: number): void {
    const heard = this.heard;
    const track = heard && this.tracks.get(heard.responseId);
    if (!heard || !track) return;
    const now = this.ports.now();
    if (speechOnFace > 0 && track.firstMotionMs === null) {
      track.firstMotionMs = now;
      this.ports.turns.seen(track.responseId, now);
    }
    if (now - this.reportedMs >= REPORT_EVERY_MS) {
      this.reportedMs = now;
      this.playback(track, "position", heard.ms);
    }
  }

  private created({ id, metadata }: ResponseBody): void {
    const underruns = this.ports.sound.underruns;
    this.tracks.set(id, newTrack(id, metadata ?? {}, underruns, this.ports.turns.created(id, underruns)));
    for (const old of this.tracks.keys()) if (this.tracks.size > KEPT_TRACKS) this.tracks.delete(old);
    for (const old of this.cancelled) if (this.cancelled.size > 2 * KEPT_TRACKS) this.cancelled.delete(old);
  }

  private itemAdded(responseId: string, item: MessageItem): void {
    const track = this.tracks.get(responseId);
    if (track) track.itemId = item.id ?? "";
  }

  private audio(responseId: string, pcm16: Uint8Array): void {
    const track = this.tracks.get(responseId);
    if (!track || this.cancelled.has(responseId)) return;
    if (track.voicedSample === null) this.findVoice(track, pcm16);
    track.receivedMs ??= this.ports.now();
    track.receivedSamples += pcm16.length / 2;
    this.ports.turns.packet(responseId, "audio", this.ports.now(), samplesToMs(pcm16.length / 2));
    this.ports.sound.push(responseId, pcm16);
  }

  private motion(responseId: string, startMs: number, values: ArrayLike<number>): void {
    if (this.cancelled.has(responseId)) return;
    this.ports.turns.packet(responseId, "motion", this.ports.now());
    this.ports.face.addSpeech(responseId, startMs, values);
  }

  private ambient(startMs: number, fps: number, values: ArrayLike<number>): void {
    this.ports.face.addAmbient(performance.now(), startMs, { ...this.columns, fps }, values);
  }

  private done(response: ResponseBody): void {
    this.ports.sound.end(response.id);
    const compute = Number((response.metadata ?? this.tracks.get(response.id)?.metadata)?.["a2.compute_ms"] ?? NaN);
    this.ports.turns.done(response.id, response.status, Number.isFinite(compute) ? compute : null);
    const track = this.tracks.get(response.id);
    if (track && !track.receivedSamples) this.tracks.delete(response.id);
  }

  private cutTrack(track: Track, ms: number): Heard {
    this.cancelled.add(track.responseId);
    this.ports.face.cutSpeech(track.responseId, ms);
    if (track.receivedSamples) this.playback(track, "position", ms);
    if (track.receivedSamples && track.itemId)
      this.ports.send({ type: "conversation.item.truncate", item_id: track.itemId, content_index: 0, audio_end_ms: Math.round(ms) });
    this.over(track, ms, true);
    return { responseId: track.responseId, ms };
  }

  private over(track: Track, playedMs: number, cut: boolean, inMs = 0): void {
    if (!cut) this.playback(track, "finished", playedMs);
    const underruns = this.ports.sound.underruns;
    this.ports.turns.played(track.responseId, underruns);
    const moments = {
      ...track,
      playedMs: Math.round(playedMs),
      cut,
      endedMs: this.ports.now() + inMs,
      underruns: underruns - track.underruns,
    };
    if (track.receivedMs !== null) this.ports.report(moments);
    this.tracks.delete(track.responseId);
  }

  private findVoice(track: Track, pcm16: Uint8Array): void {
    const sample = firstVoiced(pcm16);
    if (sample === null) return;
    track.voicedSample = track.receivedSamples + sample;
    this.measureFirstAudio(track);
  }

  private measureFirstAudio(track: Track): void {
    if (track.startedMs === null || track.voicedSample === null || track.firstAudioMs !== null) return;
    track.firstAudioMs = track.startedMs + samplesToMs(track.voicedSample);
    this.ports.turns.heard(track.responseId, track.firstAudioMs);
  }

  private playback(track: Track, state: "started" | "position" | "finished", ms: number): void {
    this.ports.send({ type: "a2.playback", response_id: track.responseId, state, played_ms: Math.max(0, Math.round(ms)) });
  }
}

function numbers(values: string | number[][]): ArrayLike<number> {
  return typeof values === "string" ? halvesToFloats(fromBase64(values)) : values.flat();
}
