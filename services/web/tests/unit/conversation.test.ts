import { describe, expect, test } from "vitest";
import { cutLine, heardText, type Line, pagesOf } from "../../src/conversation/captions.ts";
import { type Conversation, EMPTY, type LocalEvent, reduce } from "../../src/conversation/state.ts";
import { TurnLog } from "../../src/conversation/turns.ts";
import type { ServerEvent } from "../../src/wire/events.ts";

type Loose = { type: string; [key: string]: unknown };
const run = (events: Loose[], from: Conversation = EMPTY) =>
  events.reduce((state, event) => reduce(state, { event_id: "e", ...event } as ServerEvent | LocalEvent), from);

const AUDIO_50_MS = Buffer.alloc(2400).toString("base64");
const words = (delta: string) => ({ type: "response.output_audio_transcript.delta", response_id: "r", item_id: "a", delta });
const sound = { type: "response.output_audio.delta", response_id: "r", item_id: "a", delta: AUDIO_50_MS };
const created = { type: "response.created", response: { id: "r", status: "in_progress" } };
const done = (status: string) => ({ type: "response.done", response: { id: "r", status } });
const answer = [created, words("Good"), sound, words(" evening"), sound, sound, words(" friend."), sound];

describe("captions", () => {
  const line: Line = {
    id: "a",
    who: "avatar",
    text: "Good evening friend.",
    status: "done",
    responseId: "r",
    cues: [
      { atMs: 0, chars: 4 },
      { atMs: 50, chars: 12 },
      { atMs: 150, chars: 20 },
    ],
  };

  test.each([
    [-1, ""],
    [0, "Good"],
    [49, "Good"],
    [50, "Good evening"],
    [9999, "Good evening friend."],
  ])("at %i ms: %s", (ms, text) => expect(heardText(line, ms)).toBe(text));

  test("text without cues is all there", () => expect(heardText({ ...line, cues: [] }, 0)).toBe("Good evening friend."));

  test("subtitles turn at the end of a sentence, and more text never changes an earlier page", () => {
    const text = "The first sentence is here. The second one is rather long and goes on and on. Third.";
    expect(pagesOf(text, 40)).toEqual(["The first sentence is here.", "The second one is rather long and goes", "on and on. Third."]);
    for (let end = 1; end < text.length; end++) {
      const pages = pagesOf(text.slice(0, end), 40);
      expect(pagesOf(text, 40).slice(0, pages.length - 1)).toEqual(pages.slice(0, -1));
      expect(pages.every((page) => page.length <= 40)).toBe(true);
    }
    expect(pagesOf("x".repeat(90), 40).map((page) => page.length)).toEqual([40, 40, 10]);
    expect(pagesOf("", 40)).toEqual([""]);
  });

  test("a cut keeps what had begun", () => expect(cutLine(line, 60)).toMatchObject({ text: "Good evening", status: "cut" }));
});

describe("reducer", () => {
  test("words stand on the clock of the audio that came before them", () => {
    const state = run(answer);
    expect(state.lines[0]).toMatchObject({ who: "avatar", text: "Good evening friend.", status: "partial" });
    expect(state.lines[0]!.cues.map(({ atMs }) => atMs)).toEqual([0, 50, 150]);
    expect(run([done("completed")], state)).toMatchObject({ responseId: "", lines: [{ status: "done" }] });
  });

  test("a spoken turn: onset, running words, final words, waiting, answer", () => {
    const heard = run([
      { type: "input_audio_buffer.speech_started", item_id: "u", audio_start_ms: 0 },
      { type: "conversation.item.input_audio_transcription.delta", item_id: "u", delta: "how are" },
    ]);
    expect(heard).toMatchObject({ userSpeaking: true, lines: [{ who: "user", text: "how are", status: "partial" }] });
    const waiting = run(
      [
        { type: "input_audio_buffer.speech_stopped", item_id: "u", audio_end_ms: 9 },
        { type: "conversation.item.input_audio_transcription.completed", item_id: "u", transcript: " How are you?" },
      ],
      heard,
    );
    expect(waiting).toMatchObject({ userSpeaking: false, awaiting: true, lines: [{ text: "How are you?", status: "done" }] });
    expect(run([created, sound], waiting).awaiting).toBe(false);
  });

  test("a cough leaves no line", () => {
    const state = run([
      { type: "input_audio_buffer.speech_started", item_id: "u", audio_start_ms: 0 },
      { type: "conversation.item.input_audio_transcription.completed", item_id: "u", transcript: "  " },
    ]);
    expect(state.lines).toEqual([]);
  });

  test("an interruption: the caption ends where it was heard, whatever still arrives", () => {
    const state = run([
      ...answer,
      { type: "local.cut", response_id: "r", ms: 60 },
      words(" And more"),
      { type: "conversation.item.truncated", item_id: "a", audio_end_ms: 200 },
      done("cancelled"),
    ]);
    expect(state.lines[0]).toMatchObject({ text: "Good evening", status: "cut" });
  });

  test("cut before the first word was heard: no line", () =>
    expect(run([...answer, { type: "local.cut", response_id: "r", ms: -1 }]).lines).toEqual([]));

  test("the server alone may cut", () => {
    expect(run([...answer, { type: "conversation.item.truncated", item_id: "a", audio_end_ms: 60 }]).lines[0]).toMatchObject({
      text: "Good evening",
      status: "cut",
    });
  });

  test("typed items, both orders of added and done, deletion, system items unseen", () => {
    const item = { id: "u", type: "message", role: "user", content: [{ type: "input_text", text: "Hi" }] };
    const state = run([
      { type: "conversation.item.added", item },
      { type: "conversation.item.done", item },
      { type: "conversation.item.added", item: { ...item, id: "s", role: "system" } },
    ]);
    expect(state.lines).toMatchObject([{ text: "Hi", status: "done" }]);
    expect(run([{ type: "conversation.item.deleted", item_id: "u" }], state).lines).toEqual([]);
  });

  test("text answers have no clock", () => {
    const state = run([created, { type: "response.output_text.delta", response_id: "r", item_id: "a", delta: "Yes." }]);
    expect(heardText(state.lines[0]!, -1)).toBe("Yes.");
  });

  test("a failed answer ends the waiting", () => expect(run([created, done("failed")])).toMatchObject({ awaiting: false, responseId: "" }));

  test("events it does not know change nothing", () => {
    const state = run(answer);
    expect(run([{ type: "rate_limits.updated" }, { type: "a2.future.thing" }], state)).toBe(state);
  });
});

describe("figures of a turn", () => {
  test("TTFA, TTFM, FRL, RTF and underruns by their definitions", () => {
    const log = new TurnLog();
    log.userEnded(1000);
    expect(log.created("r", 2)).toBe(1000);
    log.packet("r", "audio", 1200, 50);
    log.packet("r", "motion", 1210);
    log.packet("r", "audio", 1250, 950);
    log.heard("r", 1320);
    log.heard("r", 1400);
    log.seen("r", 1330);
    log.done("r", "completed", 250);
    log.played("r", 3);
    expect(log.turns).toEqual([
      { responseId: "r", ttfaMs: 320, ttfmMs: 330, frlMs: 210, rtf: 0.25, underruns: 1, audioMs: 1000, status: "completed" },
    ]);
  });

  test("a greeting answers nobody: no latency; without motion no FRL", () => {
    const log = new TurnLog();
    log.created("r", 0);
    log.packet("r", "audio", 5, 50);
    log.heard("r", 9);
    log.done("r", "completed", null);
    expect(log.turns[0]).toMatchObject({ ttfaMs: null, frlMs: null, rtf: null, audioMs: 50 });
  });
});

test("a resumed session: nothing is in progress any more, and what was missed completes the line", () => {
  const back = run([{ type: "session.created", session: { id: "s" } }], run(answer));
  expect(back).toMatchObject({ responseId: "", awaiting: false, userSpeaking: false });
  const item = {
    id: "a",
    type: "message",
    role: "assistant",
    content: [{ type: "output_audio", transcript: "Good evening friend. Sit down." }],
  };
  expect(run([{ type: "conversation.item.done", item }], back).lines[0]!.text).toBe("Good evening friend. Sit down.");
});
