/**
 * @openai/agents-realtime, unmodified, holds a conversation: `node talk.mjs URL QUESTION.pcm INTERRUPTION.pcm`, the key in A2_KEY.
 * Prints one JSON object per line for each thing that happened; the last is the SDK's own history. Sound is PCM16 at 24 kHz.
 */
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool } from "@openai/agents-realtime";
import { z } from "zod";

const [url, question, interruption] = process.argv.slice(2);
const CHUNK_MS = 40;
const BYTES_PER_MS = 48;
const SILENCE_MS = 800; // longer than the turn detection waits
const WAIT_MS = 60_000;

const say = (event, fields = {}) => console.log(JSON.stringify({ event, at_ms: Math.round(performance.now()), ...fields }));

const weather = tool({
  name: "get_weather",
  description: "Tells the weather in a city.",
  parameters: z.object({ city: z.string(), unit: z.enum(["celsius", "fahrenheit"]) }),
  execute: async (given) => {
    say("tool", { given });
    return "Sunny, 21 degrees.";
  },
});
const common = { name: "Ada", instructions: "You are a friendly companion. Answer in one short sentence." };
const session = new RealtimeSession(new RealtimeAgent(common), {
  transport: new OpenAIRealtimeWebSocket({ url }),
  config: { audio: { input: { turnDetection: { type: "server_vad", createResponse: true, interruptResponse: true } } } },
  tracingDisabled: true,
});

let audioBytes = 0;
session.on("audio", ({ data }) => (audioBytes += data.byteLength));
session.on("audio_start", () => say("audio_start"));
session.on("audio_interrupted", () => say("audio_interrupted"));
session.on("agent_end", (_context, _agent, text) => say("agent_end", { text, audio_ms: Math.round(audioBytes / BYTES_PER_MS) }));
session.on("error", ({ error }) => say("error", { error: error?.error ?? String(error) }));

/** Resolves at the next event for which `wanted` holds; call it before what causes the event. */
function next(name, wanted = () => true) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${name} within ${WAIT_MS} ms`)), WAIT_MS);
    const listen = (...values) => {
      if (!wanted(...values)) return;
      clearTimeout(timer);
      session.off(name, listen);
      resolve(values);
    };
    session.on(name, listen);
  });
}

const transport = (wanted) => next("transport_event", wanted).then(([event]) => event.response);
/** Resolves to the status in which the response ended that is created next. */
const nextResponse = async () => {
  const { id } = await transport((event) => event.type === "response.created");
  return (await transport((event) => event.type === "response.done" && event.response.id === id)).status;
};

/** As a microphone does: at real pace, silence after it. */
async function speak(file) {
  const sound = Buffer.concat([readFileSync(file), Buffer.alloc(SILENCE_MS * BYTES_PER_MS)]);
  const began = performance.now();
  for (let at = 0; at < sound.length; at += CHUNK_MS * BYTES_PER_MS) {
    const chunk = Uint8Array.from(sound.subarray(at, at + CHUNK_MS * BYTES_PER_MS));
    session.sendAudio(chunk.buffer);
    await pause(Math.max(0, began + at / BYTES_PER_MS + CHUNK_MS - performance.now()));
  }
}

/** An answer, from what causes it until a player would be through with it. */
async function answer(act) {
  audioBytes = 0;
  const [started, ended] = [next("audio_start"), nextResponse()];
  await act();
  await started;
  const from = performance.now();
  await ended;
  await pause(Math.max(0, from + audioBytes / BYTES_PER_MS - performance.now()));
}

await session.connect({ apiKey: process.env.A2_KEY });
say("connected");
await answer(() => speak(question));

await session.updateAgent(new RealtimeAgent({ ...common, tools: [weather] }));
const told = next("agent_tool_end");
session.transport.sendMessage("What is the weather in Paris?", {}, { triggerResponse: false });
session.transport.requestResponse({ tool_choice: "required" });
await told;
await answer(() => undefined);

await session.updateAgent(new RealtimeAgent(common));
for (let story = ""; story !== "cancelled"; say("story", { status: story })) {
  const [started, ended] = [next("audio_start"), nextResponse()];
  session.sendMessage("Tell me a long story about a lighthouse.");
  await started;
  await pause(800);
  await answer(() => speak(interruption));
  story = await ended; // some stories are short: over before anybody spoke
}
await pause(300); // items that were fetched again
say("history", { items: session.history });
session.close();
