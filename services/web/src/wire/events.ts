/** Reading and numbering of the JSON wire. The types are generated from services/a2serve/contracts; nothing is retyped here. */
import type { ServerEvent } from "../contract/events.ts";

export type {
  ClientEvent,
  FunctionCallItem,
  FunctionCallOutputItem,
  MessageItem,
  ResponseBody,
  SemanticVad,
  ServerEvent,
  ServerVad,
  SessionConfig,
} from "../contract/events.ts";

const FAMILIES = /^(session|conversation|input_audio_buffer|response|rate_limits|a2)\.|^error$/;

/** A text frame as an event; null for JSON that is none of ours (a client ignores what it does not know). Throws SyntaxError. */
export function readEvent(text: string): ServerEvent | null {
  const body = JSON.parse(text) as { type?: unknown } | null;
  return typeof body?.type === "string" && FAMILIES.test(body.type) ? (body as ServerEvent) : null;
}

/** `event_id` ends in the event's number within the session; 0 where it does not. */
export const numberOf = (event: { event_id?: string }): number => Number(/_(\d+)$/.exec(event.event_id ?? "")?.[1] ?? 0);
