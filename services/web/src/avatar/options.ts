/** The public types of the library. */
import type { MicrophoneState } from "../audio/microphone.ts";
import type { Line } from "../conversation/captions.ts";
import type { Turn } from "../conversation/turns.ts";
import type { Quality } from "../head/stage.ts";
import type { SemanticVad, ServerVad } from "../wire/events.ts";
import type { AvatarState } from "./state.ts";

export interface A2AvatarOptions {
  /** Element that the face fills; it needs a size and `position: relative` (or absolute, fixed). */
  container: HTMLElement;
  /** Origin of the gateway; default: this page's own. */
  url?: string;
  /** A client secret for each new socket. Default: `GET /local/session` of the gateway (local profile only). */
  clientSecret?: () => Promise<string>;
  /** Name of a default head ("woman", "man") or the URL of a GLB with ARKit morph targets. */
  avatar?: string;
  persona?: string;
  quality?: Quality;
  /** How the server finds turns while the microphone is open. */
  turnDetection?: ServerVad | SemanticVad;
  /** Audio and motion from the server as binary frames instead of base64. */
  binary?: boolean;
}

/** A caption: `text` is what has been heard so far, `line` everything that is known of it. */
export interface Caption {
  id: string;
  who: "user" | "avatar";
  text: string;
  final: boolean;
  line: Line;
}

export interface A2Events {
  state: AvatarState;
  captions: readonly Caption[];
  /** A response has been played or cut: its figures. */
  turn: Turn;
  microphone: MicrophoneState;
  /** Loudness of the own microphone, RMS 0..1, 25 times a second. */
  level: number;
  /** The browser keeps sound off until the user touches the page (true), or no longer (false). */
  blocked: boolean;
  /** What the avatar expresses: a category. */
  affect: string;
  error: { code: string; message: string };
}
