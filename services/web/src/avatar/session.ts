/**
 * A conversation without a picture: connection, words, sound, microphone and figures joined. It knows no three.js; the face
 * is only told what to show.
 */
import { Player } from "../audio/player.ts";
import { type Conversation, EMPTY, type LocalEvent, reduce } from "../conversation/state.ts";
import { TurnLog } from "../conversation/turns.ts";
import type { Face, Heard } from "../motion/face.ts";
import { type PlaybackMoments, playbackTrace } from "../telemetry/spans.ts";
import { Connection } from "../wire/connection.ts";
import type { ResponseBody, ServerEvent, SessionConfig } from "../wire/events.ts";
import { readPacket } from "../wire/packets.ts";
import { localSecret, postTraces } from "../wire/rest.ts";
import type { Emitter } from "./emitter.ts";
import { Hearing } from "./hearing.ts";
import { Media } from "./media.ts";
import type { A2AvatarOptions, A2Events, Caption } from "./options.ts";
import { type AvatarState, stateOf } from "./state.ts";
import { CaptionGate, subtitlesOf } from "./subtitles.ts";

const wallClockMs = (): number => performance.timeOrigin + performance.now();

export class Session {
  state: AvatarState = "disconnected";
  detail = "";
  secret = "";
  lastError: A2Events["error"] | null = null;
  readonly hearing: Hearing;
  readonly connection: Connection;
  readonly log = new TurnLog();
  private readonly player: Player;
  private readonly media: Media;
  private readonly url: string;
  private conversation: Conversation = EMPTY;
  private readonly gate = new CaptionGate();
  private soundBlocked = false;

  constructor(
    private readonly options: A2AvatarOptions,
    face: Face,
    private readonly events: Emitter<A2Events>,
  ) {
    this.url = options.url ?? location.origin;
    this.player = new Player((anchor, inMs) => this.media.onAnchor(anchor, inMs));
    this.media = this.newMedia(face);
    this.hearing = this.newHearing();
    this.connection = this.newConnection();
  }

  get heard(): Heard | null {
    return this.media.heard;
  }

  get captions(): readonly Caption[] {
    return subtitlesOf(this.conversation.lines, this.media.heard, (responseId) => this.media.unheard(responseId));
  }

  /** From a click or a key: browsers allow sound from then on. */
  unlockSound(): void {
    void this.player.resume();
  }

  say(text: string): boolean {
    if (!text.trim() || this.connection.state !== "open") return false;
    this.stop();
    this.unlockSound();
    this.log.userEnded(wallClockMs());
    const item = { type: "message" as const, role: "user" as const, content: [{ type: "input_text" as const, text: text.trim() }] };
    this.connection.send({ type: "conversation.item.create", item });
    this.connection.send({ type: "response.create" });
    this.apply({ type: "local.turn", over: true });
    return true;
  }

  talk(down: boolean): void {
    if (!down) return this.hearing.release();
    if (this.hearing.open || this.connection.state !== "open") return;
    this.stop();
    this.unlockSound();
    void this.hearing.press();
    this.refresh();
  }

  stopMicrophone(): void {
    this.hearing.stop();
    this.apply({ type: "local.turn", over: false });
  }

  /** Silence the avatar: what it has not said yet is dropped, and it knows how far it was heard. */
  stop(): void {
    const { responseId } = this.conversation;
    if (responseId) this.connection.send({ type: "response.cancel", response_id: responseId });
    this.cut();
  }

  setPersona(persona: string): void {
    this.options.persona = persona;
    this.connection.send({ type: "session.update", session: { type: "realtime", a2: { persona } } });
  }

  /** Every frame; `speech` is how much of the drawn face is speech (0..1). */
  tick(speech: number): void {
    this.media.tick(speech);
    this.refresh();
    const captions = this.captions;
    if (this.gate.changed(captions)) this.events.emit("captions", captions);
    this.watchSound();
  }

  fail(code: string, message: string): void {
    this.lastError = { code, message };
    this.events.emit("error", this.lastError);
  }

  async close(): Promise<void> {
    this.media.cut();
    this.hearing.stop();
    this.connection.close();
  }

  async dispose(): Promise<void> {
    await this.close();
    await this.player.close();
  }

  private newMedia(face: Face): Media {
    return new Media({
      sound: this.player,
      face,
      turns: this.log,
      send: (event) => void this.connection.send(event),
      report: (moments) => this.report(moments),
      now: wallClockMs,
    });
  }

  private newHearing(): Hearing {
    return new Hearing({
      send: (event) => this.connection.send(event),
      onMicrophone: (state) => this.events.emit("microphone", state),
      onLevel: (level) => this.events.emit("level", level),
      onTurn: (over) => {
        if (over) this.log.userEnded(wallClockMs());
        this.apply({ type: "local.turn", over });
      },
      turnDetection: this.options.turnDetection ?? { type: "server_vad" },
    });
  }

  private newConnection(): Connection {
    const mint = this.options.clientSecret ?? (() => localSecret(this.url));
    return new Connection({
      url: this.url,
      secret: async () => (this.secret = await mint()),
      onEvent: (event) => this.receive(event),
      onBinary: (frame) => this.receiveBinary(frame),
      onState: (_, detail) => {
        this.detail = detail;
        this.refresh();
      },
    });
  }

  private receive(event: ServerEvent): void {
    if (event.type === "session.created") this.configure();
    if (event.type === "error") this.fail(event.error.code, event.error.message);
    if (event.type === "response.done") this.noteFailure(event.response);
    if (event.type === "a2.affect" && event.whose === "avatar") this.events.emit("affect", event.category);
    if (event.type === "input_audio_buffer.speech_started") this.cut();
    if (event.type === "input_audio_buffer.speech_stopped")
      this.log.userEnded(performance.timeOrigin + this.hearing.momentOf(event.audio_end_ms));
    this.media.onEvent(event);
    this.apply(event);
  }

  private noteFailure({ status, status_details }: ResponseBody): void {
    if (status === "failed")
      this.fail(status_details?.error?.code ?? "internal_error", status_details?.error?.message ?? "There was no answer.");
  }

  private receiveBinary(frame: ArrayBuffer): void {
    const packet = readPacket(frame);
    const ms = this.media.onPacket(packet);
    if (ms) this.apply({ type: "local.audio", response_id: packet.responseId, ms });
  }

  private configure(): void {
    const { persona, binary } = this.options;
    const session: SessionConfig = {
      type: "realtime",
      audio: { input: { transcription: {}, turn_detection: this.hearing.turnDetection } },
      a2: {
        motion: { rig: "arkit61", fps: 60, encoding: "f16_base64" },
        listening: true,
        ...(persona && { persona }),
        ...(binary && { binary }),
      },
    };
    this.hearing.resetClock();
    this.connection.send({ type: "session.update", session });
  }

  /** The user speaks, or pressed stop: what sounded is over, and captions end where they were heard. */
  private cut(): void {
    for (const { responseId, ms } of this.media.cut()) this.apply({ type: "local.cut", response_id: responseId, ms });
  }

  private apply(event: ServerEvent | LocalEvent): void {
    this.conversation = reduce(this.conversation, event);
    this.refresh();
  }

  private refresh(): void {
    const { userSpeaking, awaiting } = this.conversation;
    const { talking } = this.hearing;
    const state = stateOf({
      connection: this.connection.state,
      userSpeaking,
      awaiting,
      talkKeyDown: talking,
      audible: this.media.sounding,
    });
    if (state === this.state) return;
    this.state = state;
    this.events.emit("state", state);
  }

  private watchSound(): void {
    const blocked = this.media.sounding && this.player.blocked;
    if (blocked === this.soundBlocked) return;
    this.soundBlocked = blocked;
    this.events.emit("blocked", blocked);
  }

  private report(moments: PlaybackMoments): void {
    const turn = this.log.turns.find(({ responseId }) => responseId === moments.responseId);
    if (turn) this.events.emit("turn", turn);
    postTraces(this.url, this.secret, playbackTrace(moments));
  }
}
