/** What is going on, in one word at the top and, where something is wrong, in one sentence with one way out. */

import type { MicrophoneState } from "../audio/microphone.ts";
import type { A2Avatar } from "../avatar/avatar.ts";
import type { AvatarState } from "../avatar/state.ts";
import { box, button, setText } from "./dom.ts";

const WORDS: Record<AvatarState, string> = {
  disconnected: "Disconnected",
  connecting: "Connecting…",
  reconnecting: "Reconnecting…",
  full: "Server full",
  failed: "Not connected",
  ready: "Ready",
  listening: "Listening",
  thinking: "Thinking…",
  speaking: "Speaking",
};
const MICROPHONE: Partial<Record<MicrophoneState, string>> = {
  denied: "The browser does not let this page use the microphone. Allow it next to the address, or type instead.",
  missing: "No microphone found. Plug one in, or type instead.",
  failed: "The microphone did not start. Another program may be using it. You can type instead.",
};
/** Races that mend themselves: it had ended already, or there was nothing to hear. */
const QUIET_CODES = new Set(["response_cancel_not_active", "item_not_found", "input_audio_buffer_commit_empty"]);
/** A short loss mends itself before anybody should worry. */
const PATIENCE_MS = 1500;
const FULL = "Every place is taken at the moment. The next free one is yours: this page keeps asking.";
const ERROR_SHOWN_MS = 7000;

interface Notice {
  about: "connection" | "microphone" | "sound" | "error";
  text: string;
  action?: string;
  act?: () => void;
}

export class StatusView {
  private readonly word = box("status-word");
  private readonly notice = box("notice");
  private readonly text = box("notice-text");
  private readonly action = button("notice-action");
  private patience: ReturnType<typeof setTimeout> | undefined;
  private current: Notice | null = null;

  constructor(private readonly avatar: A2Avatar) {
    this.action.addEventListener("click", () => this.current?.act?.());
    avatar.on("state", (state) => this.follow(state));
    avatar.on("microphone", (state) => this.microphone(state));
    avatar.on("blocked", (blocked) => this.sound(blocked));
    avatar.on("error", ({ code, message }) => this.error(code, message));
    this.follow(avatar.state);
  }

  private follow(state: AvatarState): void {
    document.body.dataset["state"] = state;
    setText(this.word, state === "ready" && this.avatar.microphoneOpen ? "Your turn" : WORDS[state]);
    clearTimeout(this.patience);
    const notice = this.noticeOf(state);
    if (notice && state === "reconnecting") this.patience = setTimeout(() => this.show(notice), PATIENCE_MS);
    else if (notice) this.show(notice);
    else this.drop("connection");
  }

  private noticeOf(state: AvatarState): Notice | null {
    const about = "connection";
    const act = () => this.avatar.retryNow();
    const again = () => void this.avatar.connect().catch(() => undefined);
    if (state === "full") return { about, text: FULL, action: "Ask now", act };
    if (state === "reconnecting") return { about, text: "The connection was lost. Your conversation is kept.", action: "Try now", act };
    if (state !== "failed") return null;
    return { about, text: this.avatar.detail || "The server does not accept this page.", action: "Try again", act: again };
  }

  private microphone(state: MicrophoneState): void {
    const text = MICROPHONE[state];
    if (text) this.show({ about: "microphone", text });
    else this.drop("microphone");
    this.follow(this.avatar.state);
  }

  private sound(blocked: boolean): void {
    const text = "The browser keeps the sound off until you touch the page.";
    if (blocked) this.show({ about: "sound", text, action: "Turn sound on" });
    else this.drop("sound");
  }

  /** An error that needs no deed goes away again. */
  private error(code: string, message: string): void {
    if (QUIET_CODES.has(code) || this.current?.about === "connection") return;
    const notice: Notice = {
      about: "error",
      text: code === "no_capacity" ? "Every place is taken at the moment. Ask again in a little while." : message,
    };
    this.show(notice);
    setTimeout(() => this.current === notice && this.show(null), ERROR_SHOWN_MS);
  }

  private drop(about: Notice["about"]): void {
    if (this.current?.about === about) this.show(null);
  }

  private show(notice: Notice | null): void {
    this.current = notice;
    this.notice.hidden = !notice;
    setText(this.text, notice?.text ?? "");
    this.action.hidden = !notice?.action;
    setText(this.action, notice?.action ?? "");
  }
}
