/** The one word for what is going on, from connection, conversation and sound. Pure. */
import type { ConnectionState } from "../wire/connection.ts";

export type AvatarState =
  | "disconnected"
  | "connecting"
  | "reconnecting"
  | "full"
  | "failed"
  | "ready"
  | "listening"
  | "thinking"
  | "speaking";

export interface Situation {
  connection: ConnectionState;
  userSpeaking: boolean;
  talkKeyDown: boolean;
  audible: boolean;
  awaiting: boolean;
}

const OF_CONNECTION: Partial<Record<ConnectionState, AvatarState>> = {
  closed: "disconnected",
  connecting: "connecting",
  reconnecting: "reconnecting",
  full: "full",
  failed: "failed",
};

export function stateOf(situation: Situation): AvatarState {
  const offline = OF_CONNECTION[situation.connection];
  if (offline && !(situation.audible && offline === "reconnecting")) return offline;
  if (situation.userSpeaking || situation.talkKeyDown) return "listening";
  if (situation.audible) return "speaking";
  return situation.awaiting ? "thinking" : "ready";
}
