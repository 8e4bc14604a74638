/** A2Avatar: a face in an element, a conversation behind it. The public surface of the library. */
import type { MicrophoneState } from "../audio/microphone.ts";
import type { Turn } from "../conversation/turns.ts";
import { type Insets, type Quality, Stage } from "../head/stage.ts";
import { Face, type Heard } from "../motion/face.ts";
import type { Mood } from "../motion/idle.ts";
import { COEFFICIENTS, neutral } from "../motion/pose.ts";
import { Emitter } from "./emitter.ts";
import type { A2AvatarOptions, A2Events, Caption } from "./options.ts";
import { Session } from "./session.ts";
import type { AvatarState } from "./state.ts";

export class A2Avatar {
  private readonly events = new Emitter<A2Events>();
  private readonly lessMotion = matchMedia("(prefers-reduced-motion: reduce)");
  private readonly face = new Face(() => this.lessMotion.matches);
  private readonly stage: Stage;
  private readonly session: Session;
  private pose = neutral();
  private shown: Heard | null = null;
  private frame: number;

  /** Throws when the browser has no WebGL 2. The face appears and idles at once; `connect` starts the conversation. */
  constructor(private readonly options: A2AvatarOptions) {
    this.stage = new Stage(options.container, options.quality ?? "high");
    this.session = new Session(options, this.face, this.events);
    void this.setAvatar(options.avatar ?? "woman");
    for (const gesture of ["pointerdown", "keydown"]) addEventListener(gesture, this.unlock, { capture: true });
    addEventListener("online", this.retry);
    this.frame = requestAnimationFrame(this.draw);
  }

  /** Listen to an event; call what comes back to stop. */
  on<Name extends keyof A2Events>(name: Name, listener: (value: A2Events[Name]) => void): () => void {
    return this.events.on(name, listener);
  }

  /** Start (or start again) the conversation. Resolves when it is open; rejects only when the server refuses for good. */
  connect(): Promise<void> {
    const { connection } = this.session;
    connection.open();
    if (connection.state === "open") return Promise.resolve();
    return new Promise((resolve, reject) => {
      const stop = this.on("state", (state) => {
        if (state !== "ready" && state !== "failed") return;
        stop();
        if (state === "ready") resolve();
        else reject(new Error(this.detail));
      });
    });
  }

  /** End the conversation; the face idles on. */
  disconnect(): void {
    void this.session.close();
  }

  /** Say something to the avatar in writing; it answers aloud. Interrupts it when it speaks. False when there is no connection. */
  say(text: string): boolean {
    return this.session.say(text);
  }

  /** Open microphone: the server hears everything and finds the turns. Resolves to whether there is a microphone. */
  async startMicrophone(): Promise<boolean> {
    this.session.unlockSound();
    return this.session.hearing.start();
  }

  stopMicrophone(): void {
    this.session.stopMicrophone();
  }

  /** Push-to-talk: true while the key is down. Interrupts the avatar. Without effect while the microphone is open. */
  talk(down: boolean): void {
    this.session.talk(down);
  }

  /** Silence the avatar: what it has not said yet is dropped, and it knows how far it was heard. */
  stop(): void {
    this.session.stop();
  }

  /** Another head, by name or URL. Resolves when it is shown; false (and an `error`) when it cannot be loaded. */
  async setAvatar(avatar: string): Promise<boolean> {
    const url = /[/.]/.test(avatar) ? avatar : `/avatars/${avatar}.glb`;
    try {
      await this.stage.show(new URL(url, this.options.url ?? location.href).href);
      return true;
    } catch (error) {
      this.session.fail("avatar_unavailable", error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  setPersona(persona: string): void {
    this.session.setPersona(persona);
  }

  setQuality(quality: Quality): void {
    this.stage.setQuality(quality);
  }

  /** Parts of the container that other things cover, in CSS pixels: the face is framed in the rest. */
  setInsets(insets: Insets): void {
    this.stage.setInsets(insets);
  }

  /** Reconnect now instead of after the pause. */
  retryNow(): void {
    this.session.connection.retryNow();
  }

  get state(): AvatarState {
    return this.session.state;
  }

  /** Why there is no connection, in the server's words. */
  get detail(): string {
    return this.session.detail;
  }

  get lastError(): A2Events["error"] | null {
    return this.session.lastError;
  }

  /** Figures of the last turns, oldest first. */
  get turns(): readonly Turn[] {
    return this.session.log.turns;
  }

  /** Everything that was said, with the avatar's words as far as they were heard. */
  get captions(): readonly Caption[] {
    return this.session.captions;
  }

  /** Milliseconds heard of the response that sounds now, or null. */
  get playedMs(): number | null {
    return this.session.heard?.ms ?? null;
  }

  get responseId(): string | null {
    return this.session.heard?.responseId ?? null;
  }

  get microphone(): MicrophoneState {
    return this.session.hearing.state;
  }

  get microphoneOpen(): boolean {
    return this.session.hearing.open;
  }

  /** The client secret in use, for REST calls of the page. */
  get clientSecret(): string {
    return this.session.secret;
  }

  /** Which moment of which response the face drawn last belongs to; null when it was not speaking. */
  get drawn(): Heard | null {
    return this.shown;
  }

  /** The face as drawn last: coefficient name -> value. */
  morphs(): Record<string, number> {
    return Object.fromEntries(COEFFICIENTS.map((name, place) => [name, this.pose[place]!]));
  }

  /** Give everything back: sound, microphone, picture, socket. */
  dispose(): void {
    cancelAnimationFrame(this.frame);
    for (const gesture of ["pointerdown", "keydown"]) removeEventListener(gesture, this.unlock, { capture: true });
    removeEventListener("online", this.retry);
    void this.session.dispose();
    this.stage.dispose();
  }

  private readonly draw = (): void => {
    this.frame = requestAnimationFrame(this.draw);
    const now = performance.now();
    this.shown = this.session.heard;
    const { pose, speech } = this.face.at(now, this.shown, this.mood());
    this.pose = pose;
    this.session.tick(speech);
    this.stage.draw(pose, now);
  };

  private mood(): Mood {
    return this.state === "listening" || this.state === "thinking" ? this.state : "idle";
  }

  private readonly unlock = (): void => this.session.unlockSound();

  private readonly retry = (): void => this.retryNow();
}
