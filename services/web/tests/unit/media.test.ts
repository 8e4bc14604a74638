import { beforeEach, expect, test } from "vitest";
import type { Position } from "../../src/audio/clock.ts";
import { Media } from "../../src/avatar/media.ts";
import { TurnLog } from "../../src/conversation/turns.ts";
import { Face } from "../../src/motion/face.ts";
import type { PlaybackMoments } from "../../src/telemetry/spans.ts";
import type { ClientEvent, ServerEvent } from "../../src/wire/events.ts";

let now: number;
let position: Position | null;
let did: string[];
let sent: ClientEvent[];
let reports: PlaybackMoments[];
let turns: TurnLog;
let media: Media;

beforeEach(() => {
  [now, position, did, sent, reports, turns] = [10_000, null, [], [], [], new TurnLog()];
  const sound = {
    underruns: 0,
    push: (id: string, pcm: Uint8Array) => void did.push(`push ${id} ${pcm.length / 48}`),
    end: (id: string) => void did.push(`end ${id}`),
    flush: () => void did.push("flush"),
    duck: (on: boolean) => void did.push(on ? "duck" : "unduck"),
    heard: () => position,
  };
  media = new Media({
    sound,
    face: new Face(),
    turns,
    send: (event) => void sent.push(event),
    report: (moments) => void reports.push(moments),
    now: () => now,
  });
});

const tell = (event: object) => media.onEvent({ event_id: "e", ...event } as ServerEvent);
const silence = Buffer.alloc(2400).toString("base64");
const voice = Buffer.alloc(2400, 0x20).toString("base64");
const audio = (delta: string) => tell({ type: "response.output_audio.delta", response_id: "r", item_id: "i", delta });

function begin(): void {
  turns.userEnded(9_900);
  tell({ type: "response.created", response: { id: "r", status: "in_progress", metadata: { "a2.traceparent": "tp" } } });
  tell({ type: "response.output_item.added", response_id: "r", item: { id: "i", type: "message" } });
}

test("the first audible sample counts, not the silence before it, and the output latency is in it", () => {
  begin();
  audio(silence);
  media.onAnchor({ frame: 0, responseId: "r", position: 0, state: "playing" }, 20);
  expect(turns.turns[0]!.ttfaMs).toBeNull();
  audio(voice);
  expect(turns.turns[0]!.ttfaMs).toBe(100 + 20 + 50);
});

test("positions go back: started, now and then, finished; then the span", () => {
  begin();
  audio(voice);
  media.onAnchor({ frame: 0, responseId: "r", position: 0, state: "playing" }, 0);
  position = { responseId: "r", samples: 12_000, state: "playing" };
  media.tick(1);
  media.tick(1);
  now += 300;
  media.tick(1);
  media.onAnchor({ frame: 0, responseId: "r", position: 24_000, state: "finished" }, 0);
  const states = sent.map((event) => event.type === "a2.playback" && `${event.state} ${event.played_ms}`);
  expect(states).toEqual(["started 0", "position 500", "position 500", "finished 1000"]);
  expect(reports).toMatchObject([
    { responseId: "r", traceparent: "tp", playedMs: 1000, cut: false, turnEndedMs: 9_900, firstMotionMs: 10_000 },
  ]);
});

test("a cut: silence, the heard position, truncate at the same millisecond, and nothing afterwards", () => {
  begin();
  audio(voice);
  position = { responseId: "r", samples: 14_400, state: "playing" };
  expect(media.cut()).toEqual([{ responseId: "r", ms: 600 }]);
  expect(sent).toEqual([
    { type: "a2.playback", response_id: "r", state: "position", played_ms: 600 },
    { type: "conversation.item.truncate", item_id: "i", content_index: 0, audio_end_ms: 600 },
  ]);
  did.length = 0;
  audio(voice);
  expect(did).toEqual([]);
  expect(media.heard).toBeNull();
  expect(media.sounding).toBe(false);
  expect(media.cut()).toEqual([]);
});

test("duck and unduck, end with the last packet or with response.done", () => {
  begin();
  audio(voice);
  tell({ type: "a2.duck", response_id: "r" });
  tell({ type: "a2.unduck", response_id: "r" });
  tell({ type: "response.done", response: { id: "r", status: "completed" } });
  expect(did).toEqual(["push r 50", "duck", "unduck", "end r"]);
});
