import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { stateOf } from "../../src/avatar/state.ts";
import { PacketKind } from "../../src/contract/events.ts";
import { type PlaybackMoments, playbackTrace } from "../../src/telemetry/spans.ts";
import { Connection, type ConnectionState, Refusal } from "../../src/wire/connection.ts";
import { numberOf, readEvent } from "../../src/wire/events.ts";
import { readPacket, writeInputAudio } from "../../src/wire/packets.ts";

class FakeSocket {
  static made: FakeSocket[] = [];
  readyState = 1;
  bufferedAmount = 0;
  sent: string[] = [];
  onmessage: (event: { data: unknown }) => void = () => undefined;
  onclose: (event: { code: number; reason: string }) => void = () => undefined;
  constructor(
    readonly url: URL,
    readonly protocols: string[],
  ) {
    FakeSocket.made.push(this);
  }
  send(text: string) {
    this.sent.push(text);
  }
  close() {
    this.readyState = 3;
  }
  tell(event: object) {
    this.onmessage({ data: JSON.stringify(event) });
  }
  lose(code = 1006) {
    this.readyState = 3;
    this.onclose({ code, reason: "" });
  }
}

describe("connection", () => {
  let states: ConnectionState[];
  let events: string[];
  let refuse: Error | null;
  let connection: Connection;
  const last = () => FakeSocket.made.at(-1)!;
  const settle = () => vi.advanceTimersByTimeAsync(0);

  beforeEach(async () => {
    vi.useFakeTimers();
    vi.stubGlobal("WebSocket", { OPEN: 1, CLOSING: 2 });
    FakeSocket.made = [];
    [states, events, refuse] = [[], [], null];
    connection = new Connection({
      url: "http://host:1",
      secret: () => (refuse ? Promise.reject(refuse) : Promise.resolve("s3")),
      onEvent: (event) => events.push(event.event_id),
      onBinary: () => undefined,
      onState: (state) => states.push(state),
      openSocket: (url, protocols) => new FakeSocket(new URL(url), protocols) as unknown as WebSocket,
    });
    connection.open();
    await settle();
  });
  afterEach(() => {
    connection.close();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  const begin = (id = "sess_1", number = 1) => last().tell({ type: "session.created", event_id: `event_x_${number}`, session: { id } });

  test("offers the subprotocols and opens with session.created", () => {
    expect(last().url.href).toBe("ws://host:1/v1/realtime");
    expect(last().protocols).toEqual(["realtime", "a2-client-secret.s3"]);
    begin();
    expect(states).toEqual(["connecting", "open"]);
  });

  test("after a loss it resumes from the last event and drops what it has seen", async () => {
    begin();
    last().tell({ type: "response.created", event_id: "event_x_7", response: { id: "r" } });
    last().lose();
    await vi.advanceTimersByTimeAsync(1000);
    expect(Object.fromEntries(last().url.searchParams)).toEqual({ resume: "sess_1", last_sequence: "7" });
    begin("sess_1", 8);
    last().tell({ type: "conversation.item.added", event_id: "event_x_6", item: {} });
    last().tell({ type: "conversation.item.added", event_id: "event_x_9", item: {} });
    expect(events).toEqual(["event_x_1", "event_x_7", "event_x_8", "event_x_9"]);
    expect(states.slice(2)).toEqual(["reconnecting", "reconnecting", "open"]);
  });

  test("another session counts from its own beginning", async () => {
    begin("sess_1", 90);
    last().lose();
    await vi.advanceTimersByTimeAsync(1000);
    begin("sess_2", 1);
    last().tell({ type: "response.created", event_id: "event_y_2", response: {} });
    expect(events.at(-1)).toBe("event_y_2");
  });

  test("go_away gives the handle to come back with", async () => {
    begin();
    last().tell({ type: "a2.go_away", event_id: "event_x_2", reason: "drain", time_left_ms: 1000, resume_handle: "h9" });
    last().lose(1001);
    await vi.advanceTimersByTimeAsync(1000);
    expect(last().url.searchParams.get("resume")).toBe("h9");
  });

  test("a session that is gone is not asked for again", async () => {
    begin();
    last().lose();
    await vi.advanceTimersByTimeAsync(1000);
    last().tell({ type: "error", event_id: "", error: { code: "not_found", message: "there is no such session" } });
    last().lose(1008);
    await vi.advanceTimersByTimeAsync(2000);
    expect([...last().url.searchParams]).toEqual([]);
  });

  test("a full server is waited for; pauses grow and the button skips them", async () => {
    last().tell({ type: "error", event_id: "", error: { code: "no_capacity", message: "full" } });
    last().lose(1013);
    expect(states.at(-1)).toBe("full");
    await vi.advanceTimersByTimeAsync(3000);
    expect(FakeSocket.made).toHaveLength(1);
    connection.retryNow();
    await settle();
    expect(FakeSocket.made).toHaveLength(2);
  });

  test("a refused secret ends it, a full house does not", async () => {
    refuse = new Refusal("who are you?", false);
    last().lose();
    await vi.advanceTimersByTimeAsync(1000);
    expect(states.at(-1)).toBe("failed");
    refuse = new Refusal("later", true, 50);
    connection.open();
    await settle();
    expect(states.at(-1)).toBe("full");
  });

  test("a choked line takes no more audio, a closed one nothing", () => {
    expect(connection.send({ type: "response.create" })).toBe(true);
    last().bufferedAmount = 2 << 20;
    expect(connection.send({ type: "response.create" })).toBe(false);
    last().lose();
    expect(connection.send({ type: "response.create" })).toBe(false);
  });
});

describe("events", () => {
  test("number at the end of the id", () =>
    expect([{ event_id: "event_ab_17" }, { event_id: "odd" }, {}].map(numberOf)).toEqual([17, 0, 0]));
  test("unknown families are nobody's business", () => expect(readEvent('{"type":"vendor.thing"}')).toBeNull());
});

describe("binary frames", () => {
  test("what is written is read", () => {
    const packet = readPacket(writeInputAudio(7, 960, new Uint8Array([1, 2, 3, 4])).buffer);
    expect(packet).toMatchObject({
      kind: PacketKind.INPUT_AUDIO,
      sequence: 7,
      ptsSamples: 960,
      responseId: "",
      payload: new Uint8Array([1, 2, 3, 4]),
    });
  });

  test.each([
    ["short", new Uint8Array(10)],
    ["magic", new Uint8Array(40)],
  ])("refuses %s", (_, frame) => expect(() => readPacket(frame.buffer)).toThrow(RangeError));
});

describe("spans", () => {
  const moments: PlaybackMoments = {
    responseId: "r",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    turnEndedMs: 1_700_000_000_000,
    receivedMs: 1_700_000_000_200.5,
    firstAudioMs: 1_700_000_000_300,
    firstMotionMs: 1_700_000_000_310,
    endedMs: 1_700_000_005_000,
    playedMs: 4700,
    underruns: 1,
    cut: true,
  };
  interface Span {
    name: string;
    traceId: string;
    spanId: string;
    parentSpanId: string;
    startTimeUnixNano: string;
    endTimeUnixNano: string;
    attributes: unknown[];
  }
  const spansOf = (given: PlaybackMoments): Span[] => {
    let next = 0;
    const body = playbackTrace(given, (bytes) => String(++next).padStart(bytes * 2, "0")) as {
      resourceSpans: { scopeSpans: { spans: Span[] }[] }[];
    };
    return body.resourceSpans[0]!.scopeSpans[0]!.spans;
  };

  test("stand below the response's span, times in nanoseconds as text", () => {
    const [turn, audio, motion, playback] = spansOf(moments);
    expect(turn).toMatchObject({
      name: "a2.web.turn",
      traceId: "0af7651916cd43dd8448eb211c80319c",
      parentSpanId: "b7ad6b7169203331",
      startTimeUnixNano: "1700000000200500000",
    });
    expect([audio, motion, playback].map((span) => [span!.name, span!.parentSpanId === turn!.spanId])).toEqual([
      ["a2.web.first_audio", true],
      ["a2.web.first_motion", true],
      ["a2.web.playback", true],
    ]);
    expect(audio).toMatchObject({ startTimeUnixNano: "1700000000000000000", endTimeUnixNano: "1700000000300000000" });
    expect(turn!.attributes).toContainEqual({ key: "a2.cut_ms", value: { intValue: "4700" } });
  });

  test("without a parent they begin a trace; what did not happen has no span", () => {
    const spans = spansOf({ ...moments, traceparent: "nonsense", firstAudioMs: null, firstMotionMs: null, cut: false });
    expect(spans.map(({ name, parentSpanId }) => [name, parentSpanId])).toEqual([["a2.web.turn", ""]]);
  });
});

test("one word for the state", () => {
  const calm = { connection: "open" as const, userSpeaking: false, talkKeyDown: false, audible: false, awaiting: false };
  expect(stateOf(calm)).toBe("ready");
  expect(stateOf({ ...calm, awaiting: true })).toBe("thinking");
  expect(stateOf({ ...calm, audible: true, awaiting: true })).toBe("speaking");
  expect(stateOf({ ...calm, audible: true, userSpeaking: true })).toBe("listening");
  expect(stateOf({ ...calm, talkKeyDown: true })).toBe("listening");
  expect(stateOf({ ...calm, connection: "full" })).toBe("full");
  expect(stateOf({ ...calm, connection: "reconnecting", audible: true })).toBe("speaking");
});
