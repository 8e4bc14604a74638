/**
 * The conversation as a page needs it: a pure reducer over server events and two local ones. No clock, no socket, no sound.
 */
import { SAMPLE_RATE_HZ } from "../contract/events.ts";
import type { FunctionCallItem, FunctionCallOutputItem, MessageItem, ServerEvent } from "../wire/events.ts";
import { cutLine, type Line } from "./captions.ts";

export interface Conversation {
  readonly lines: readonly Line[];
  /** The response that the server is working on or that still sounds. */
  readonly responseId: string;
  readonly userSpeaking: boolean;
  /** The user's turn is over and no answer has begun. */
  readonly awaiting: boolean;
  /** Milliseconds of audio received so far, per response: the clock of its words. */
  readonly audioMs: Readonly<Record<string, number>>;
  readonly affect: string;
}

export type LocalEvent =
  /** The listener heard the response up to here and no further. */
  | { type: "local.cut"; response_id: string; ms: number }
  /** Push-to-talk: the turn was handed over, or taken back. */
  | { type: "local.turn"; over: boolean }
  /** A media packet of the binary wire. */
  | { type: "local.audio"; response_id: string; ms: number };

export const EMPTY: Conversation = { lines: [], responseId: "", userSpeaking: false, awaiting: false, audioMs: {}, affect: "" };

const KEPT_LINES = 200;
const BYTES_PER_MS = (2 * SAMPLE_RATE_HZ) / 1000;

export function reduce(state: Conversation, event: ServerEvent | LocalEvent): Conversation {
  switch (event.type) {
    case "session.created": // also of a resumed session: what was going on is over
      return { ...state, responseId: "", userSpeaking: false, awaiting: false };
    case "conversation.item.added":
    case "conversation.item.done":
      return withItem(state, event.item);
    case "conversation.item.deleted":
      return { ...state, lines: state.lines.filter((line) => line.id !== event.item_id) };
    case "conversation.item.truncated":
      return change(state, event.item_id, (line) => (line.status === "cut" ? line : cutLine(line, event.audio_end_ms)));
    case "input_audio_buffer.speech_started":
      return { ...withLine(state, userLine(event.item_id)), userSpeaking: true, awaiting: false };
    case "input_audio_buffer.speech_stopped":
      return { ...state, userSpeaking: false, awaiting: true };
    case "input_audio_buffer.committed":
      return { ...withLine(state, userLine(event.item_id)), userSpeaking: false };
    case "error": // whatever it was, nobody can say that an answer is coming
      return state.responseId ? state : { ...state, awaiting: false };
    case "local.turn":
      return { ...state, userSpeaking: false, awaiting: event.over };
    default:
      return reduceWords(state, event);
  }
}

function reduceWords(state: Conversation, event: ServerEvent | LocalEvent): Conversation {
  switch (event.type) {
    case "conversation.item.input_audio_transcription.delta":
      return change(withLine(state, userLine(event.item_id)), event.item_id, (line) => ({ ...line, text: line.text + event.delta }));
    case "conversation.item.input_audio_transcription.completed":
      return heardUser(state, event.item_id, event.transcript.trim());
    case "conversation.item.input_audio_transcription.failed":
      return change(state, event.item_id, (line) => ({ ...line, status: "failed" }));
    case "a2.affect":
      return event.whose === "avatar" ? { ...state, affect: event.category } : state;
    default:
      return reduceResponse(state, event);
  }
}

function reduceResponse(state: Conversation, event: ServerEvent | LocalEvent): Conversation {
  switch (event.type) {
    case "response.created":
      return { ...state, responseId: event.response.id, awaiting: true };
    case "response.output_audio.delta":
      return withAudio(state, event.response_id, (event.delta.length * 3) / 4 / BYTES_PER_MS);
    case "local.audio":
      return withAudio(state, event.response_id, event.ms);
    case "response.output_audio_transcript.delta":
      return addWords(state, event.item_id, event.response_id, event.delta, state.audioMs[event.response_id] ?? 0);
    case "response.output_text.delta":
      return addWords({ ...state, awaiting: false }, event.item_id, event.response_id, event.delta, null);
    case "response.done":
      return finished(state, event.response.id, event.response.status);
    case "local.cut":
      return cut(state, event.response_id, event.ms);
    default:
      return state;
  }
}

function withItem(state: Conversation, item: MessageItem | FunctionCallItem | FunctionCallOutputItem): Conversation {
  if (item.type !== "message" || !item.id || item.role === "system") return state;
  const text = item.content
    .map((part) => part.text ?? part.transcript ?? "")
    .join(" ")
    .trim();
  const known = state.lines.find((line) => line.id === item.id);
  if (known) return known.status !== "cut" && text.startsWith(known.text) ? change(state, item.id, (line) => ({ ...line, text })) : state;
  const who = item.role === "user" ? "user" : "avatar";
  const spoken = who === "avatar" || item.content.some((part) => part.type === "input_audio");
  return withLine(state, { id: item.id, who, text, status: spoken && !text ? "partial" : "done", responseId: "", cues: [] });
}

function withLine(state: Conversation, line: Line): Conversation {
  if (state.lines.some(({ id }) => id === line.id)) return state;
  return { ...state, lines: [...state.lines, line].slice(-KEPT_LINES) };
}

const userLine = (id: string): Line => ({ id, who: "user", text: "", status: "partial", responseId: "", cues: [] });

function change(state: Conversation, id: string, edit: (line: Line) => Line): Conversation {
  return { ...state, lines: state.lines.map((line) => (line.id === id ? edit(line) : line)) };
}

/** An utterance without words (a cough) leaves no line. */
function heardUser(state: Conversation, id: string, text: string): Conversation {
  if (!text) return { ...state, lines: state.lines.filter((line) => line.id !== id) };
  return change(withLine(state, userLine(id)), id, (line) => ({ ...line, text, status: "done" }));
}

function withAudio(state: Conversation, responseId: string, ms: number): Conversation {
  const audioMs = { ...state.audioMs, [responseId]: (state.audioMs[responseId] ?? 0) + ms };
  return { ...state, audioMs, awaiting: false };
}

function addWords(state: Conversation, id: string, responseId: string, delta: string, atMs: number | null): Conversation {
  const line: Line = { id, who: "avatar", text: "", status: "partial", responseId, cues: [] };
  return change(withLine(state, line), id, (old) => {
    if (old.status === "cut") return old;
    const text = old.text + delta;
    const cues = atMs === null ? old.cues : [...old.cues, { atMs, chars: text.length }];
    return { ...old, responseId, text, cues };
  });
}

function finished(state: Conversation, responseId: string, status: string): Conversation {
  const lines = state.lines.map((line): Line => {
    if (line.responseId !== responseId || line.status !== "partial") return line;
    return { ...line, status: status === "completed" ? "done" : "cut" };
  });
  const { [responseId]: _, ...audioMs } = state.audioMs;
  const current = state.responseId === responseId;
  return { ...state, lines, audioMs, responseId: current ? "" : state.responseId, awaiting: current ? false : state.awaiting };
}

function cut(state: Conversation, responseId: string, ms: number): Conversation {
  const lines = state.lines.map((line) => (line.responseId === responseId && line.status !== "cut" ? cutLine(line, ms) : line));
  return { ...state, lines: lines.filter((line) => line.text || line.who === "user") };
}
