/**
 * A page in headless Chromium, driven over pipes: one JSON request per line in, one answer per line out. Knows nothing of our page.
 *
 *     node browser.mjs CHROMIUM [MICROPHONE.wav]
 *     {"open": {"url": "...", "width": 320, "height": 480, "storage": {"key": "value"}, "init": "file.js"}}
 *     {"call": "keyboard.press", "with": ["Escape"]}       any method of Playwright's Page
 *     {"frames": 17}                                       WebSocket frames from number 17 on
 *
 * playwright-core is the page's own development dependency. The wav is heard from its start whenever a microphone is opened.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { chromium } = createRequire(new URL("../../../services/web/package.json", import.meta.url))("playwright-core");
const [executablePath, microphone] = process.argv.slice(2);
const ACTION_MS = 60_000; // drawn in software: a frame may take long
const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  "--autoplay-policy=no-user-gesture-required",
  "--use-fake-ui-for-media-stream",
  "--use-fake-device-for-media-stream",
  ...(microphone ? [`--use-file-for-fake-audio-capture=${microphone}%noloop`] : []),
  "--disable-background-networking",
];

const browser = await chromium.launch({ executablePath, args });
const frames = [];
const errors = [];
let page;

async function open({ url, width, height, storage = {}, init, scale = 1 }) {
  await page?.context().close();
  page = await browser.newPage({ viewport: { width, height }, colorScheme: "light", deviceScaleFactor: scale });
  page.setDefaultTimeout(ACTION_MS);
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("websocket", (socket) => {
    note("opened", socket.url());
    socket.on("framesent", ({ payload }) => note("sent", payload));
    socket.on("framereceived", ({ payload }) => note("received", payload));
  });
  await page.addInitScript((kept) => Object.entries(kept).forEach(([key, value]) => localStorage.setItem(key, value)), storage);
  if (init) await page.addInitScript({ content: readFileSync(init, "utf8") });
  await page.goto(url);
}

function note(way, payload) {
  const seen = { way, at_ms: Date.now(), bytes: payload.length };
  if (way === "opened") frames.push({ ...seen, url: payload });
  else if (typeof payload !== "string") frames.push({ ...seen, type: "binary", kind: payload[3] });
  else frames.push({ ...seen, ...summary(JSON.parse(payload)) });
}

/** Sound as its loudness, everything else as it is. */
function summary({ type, audio, delta, ...body }) {
  if (type === "input_audio_buffer.append") return { type, rms: loudness(Buffer.from(audio, "base64")) };
  return type === "response.output_audio.delta" ? { type, response_id: body.response_id } : { type, body: { delta, ...body } };
}

function loudness(pcm) {
  let sum = 0;
  for (let at = 0; at < pcm.length; at += 2) sum += pcm.readInt16LE(at) ** 2;
  return Math.sqrt(sum / (pcm.length / 2));
}

async function obey(request) {
  if (request.open) return open(request.open);
  if ("frames" in request) return frames.slice(request.frames);
  if (request.errors) return errors;
  const path = request.call.split(".");
  const method = path.pop();
  const target = path.reduce((thing, name) => thing[name], page);
  const result = await target[method](...(request.with ?? []));
  return isPlain(result) ? result : null; // handles and buffers stay here
}

const isPlain = (value) => value === null || typeof value !== "object" || Array.isArray(value) || value.constructor === Object;

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await obey(JSON.parse(line)).then(
    (result) => ({ result: result ?? null }),
    (error) => ({ error: error.message }),
  );
  console.log(JSON.stringify(answer));
}
await browser.close();
