/**
 * Playback as OpenTelemetry spans, written as OTLP JSON by hand: no SDK for four spans. The parent is the response's traceparent
 * (W3C Trace Context); without one the spans begin a trace of their own.
 */
import * as names from "./names.ts";

/** One response; moments in milliseconds since 1970, null where it did not happen. */
export interface PlaybackMoments {
  responseId: string;
  traceparent: string | null;
  /** End of the user's turn. */
  turnEndedMs: number | null;
  /** First packet with sound. */
  receivedMs: number | null;
  /** First audible sample heard. */
  firstAudioMs: number | null;
  firstMotionMs: number | null;
  endedMs: number;
  playedMs: number;
  underruns: number;
  cut: boolean;
}

type Value = string | number;
interface Place {
  traceId: string;
  spanId: string;
}

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;
const KIND_CLIENT = 3;

/** The body of POST /v1/traces for one response. `random` gives hexadecimal ids of so many bytes (tests pass their own). */
export function playbackTrace(moments: PlaybackMoments, random: (bytes: number) => string = randomHex): unknown {
  const found = TRACEPARENT.exec(moments.traceparent ?? "");
  const parent = { traceId: found?.[1] ?? random(16), spanId: found?.[2] ?? "" };
  const turn = { traceId: parent.traceId, spanId: random(8) };
  const { responseId, receivedMs, turnEndedMs, firstAudioMs, firstMotionMs, endedMs } = moments;
  const fromMs = turnEndedMs ?? receivedMs;
  const inside = (name: string, startMs: number | null, endMs: number | null) =>
    startMs === null || endMs === null
      ? []
      : [span(name, { traceId: turn.traceId, spanId: random(8) }, turn, startMs, endMs, { [names.ATTR_RESPONSE_ID]: responseId })];
  const spans = [
    span(names.SPAN_WEB_TURN, turn, parent, receivedMs ?? endedMs, endedMs, factsOf(moments)),
    ...inside(names.SPAN_WEB_FIRST_AUDIO, fromMs, firstAudioMs),
    ...inside(names.SPAN_WEB_FIRST_MOTION, fromMs, firstMotionMs),
    ...inside(names.SPAN_WEB_PLAYBACK, firstAudioMs, endedMs),
  ];
  const resource = { attributes: attributes({ "service.name": names.SERVICE_WEB }) };
  return { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: "a2llm.web" }, spans }] }] };
}

function factsOf({ responseId, underruns, cut, playedMs }: PlaybackMoments): Record<string, Value> {
  return { [names.ATTR_RESPONSE_ID]: responseId, [names.ATTR_UNDERRUNS]: underruns, ...(cut && { [names.ATTR_CUT_MS]: playedMs }) };
}

function span(name: string, place: Place, parent: Place, startMs: number, endMs: number, facts: Record<string, Value>) {
  const times = { startTimeUnixNano: nanoseconds(startMs), endTimeUnixNano: nanoseconds(Math.max(startMs, endMs)) };
  return { ...place, parentSpanId: parent.spanId, name, kind: KIND_CLIENT, ...times, attributes: attributes(facts) };
}

function attributes(facts: Record<string, Value>) {
  return Object.entries(facts).map(([key, value]) => ({ key, value: wrapped(value) }));
}

function wrapped(value: Value) {
  if (typeof value === "string") return { stringValue: value };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

/** uint64 does not fit a JavaScript number: OTLP JSON has it as a string. */
const nanoseconds = (ms: number): string => String(BigInt(Math.round(ms * 1000)) * 1000n);

function randomHex(bytes: number): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
