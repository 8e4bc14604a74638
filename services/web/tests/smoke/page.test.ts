/** The built page in headless Chromium against the scripted gateway. Software rendering is slow: assertions are on state, never on fps. */
import { existsSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ANSWER_MS, ScriptedGateway, TRACEPARENT } from "./server.ts";

const DIST = fileURLToPath(new URL("../../dist", import.meta.url));
const CHROMIUM = process.env["A2_CHROMIUM"] ?? "/usr/bin/chromium";
const SHOTS = process.env["A2_SHOTS"] ?? join(tmpdir(), "a2-web-shots");
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  "--autoplay-policy=no-user-gesture-required",
  "--use-fake-ui-for-media-stream",
  "--use-fake-device-for-media-stream",
  "--disable-background-networking",
];
const SLOW_MS = 120_000; // a shared machine without a GPU draws a frame in seconds

let browser: Browser;
let gateway: ScriptedGateway;
let origin: string;
let page: Page;
const failures: string[] = [];

describe.runIf(existsSync(CHROMIUM))("the page", () => {
  beforeAll(async () => {
    mkdirSync(SHOTS, { recursive: true });
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  });
  afterAll(() => browser.close());

  beforeEach(async () => {
    gateway = new ScriptedGateway(DIST);
    origin = await gateway.start();
    failures.length = 0;
  });

  afterEach(async () => {
    await page.context().close();
    await gateway.stop();
    expect(failures).toEqual([]);
  });

  test("types a question, hears the answer, sees the mouth move, measures the turn", async () => {
    await open();
    await ask("How large is the heart of a whale?");
    await state("speaking");
    await page.waitForFunction(() => Math.max(...probe().trace.map(({ jawOpen }) => jawOpen), 0) > 0.2, null, { timeout: SLOW_MS });
    await page.waitForFunction(() => (probe().captions.at(-1)?.text.length ?? 0) > 20, null, { timeout: SLOW_MS });
    await state("ready");
    await expect
      .poll(() => page.evaluate(() => probe().captions.at(-1)))
      .toMatchObject({ who: "avatar", final: true, text: expect.stringMatching(/a minute\.$/) });
    const turn = await page.evaluate(() => probe().turns[0]!);
    expect(turn).toMatchObject({
      status: "completed",
      audioMs: ANSWER_MS,
      rtf: expect.closeTo(900 / ANSWER_MS, 3),
      ttfaMs: expect.any(Number),
      frlMs: expect.any(Number),
    });
    expect(gateway.of("a2.playback").map((event) => event["state"])).toEqual(expect.arrayContaining(["started", "position", "finished"]));
    await expect.poll(() => JSON.stringify(gateway.traces)).toContain(TRACEPARENT.split("-")[1]);
    await page.waitForFunction(() => probe().morphs()["jawOpen"]! < 0.05, null, { timeout: SLOW_MS });
  });

  test("stop cuts sound, face and caption, and tells the server how much was heard", async () => {
    await open();
    await ask("Tell me more.");
    await page.waitForFunction(() => (probe().playedMs ?? 0) > 700, null, { timeout: SLOW_MS });
    await page.keyboard.press("Escape");
    await state("ready");
    await expect.poll(() => gateway.of("conversation.item.truncate")).toHaveLength(1);
    const heardMs = Number(gateway.of("conversation.item.truncate")[0]!["audio_end_ms"]);
    expect(heardMs).toBeGreaterThan(600);
    expect(gateway.of("response.cancel")).toHaveLength(1);
    await page.waitForFunction(() => probe().morphs()["jawOpen"]! < 0.05, null, { timeout: SLOW_MS });
    const caption = await page.evaluate(() => probe().captions.at(-1)!);
    expect(caption.text.split(" ").length).toBeLessThanOrEqual(Math.floor(heardMs / 250) + 1);
  });

  test("open microphone: the user's words appear, the avatar answers, speech interrupts it", async () => {
    await open();
    await page.getByRole("switch", { name: "Open microphone" }).check({ force: true });
    await state("listening");
    await shot("listening");
    await state("speaking");
    expect(await page.evaluate(() => probe().captions[0])).toMatchObject({ who: "user", text: "How large is the heart of a whale?" });
    await page.waitForFunction(() => (probe().playedMs ?? 0) > 300, null, { timeout: SLOW_MS });
    gateway.tell({ type: "input_audio_buffer.speech_started", audio_start_ms: 9000, item_id: "item_barge" });
    await state("listening");
    await page.waitForFunction(() => probe().playedMs === null, null, { timeout: SLOW_MS });
    expect(gateway.of("conversation.item.truncate")).toHaveLength(1);
    await page.getByRole("button", { name: "Close the microphone" }).click();
    expect(await page.getByRole("switch", { name: "Open microphone" }).isChecked()).toBe(false);
    await expect.poll(() => page.getByRole("button", { name: "Hold to talk" }).count()).toBe(1);
  });

  test("hold space to talk: what was said is committed and answered", async () => {
    await open();
    await page.locator("body").press("Tab");
    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    await page.keyboard.down("Space");
    await expect.poll(() => gateway.of("input_audio_buffer.append").length, { timeout: SLOW_MS }).toBeGreaterThan(5);
    await page.keyboard.up("Space");
    await expect.poll(() => gateway.of("input_audio_buffer.commit"), { timeout: SLOW_MS }).toHaveLength(1);
    await state("speaking");
  });

  test("a lost line comes back with resume, and the page says so meanwhile", async () => {
    await open();
    await ask("Hello");
    await state("ready", () => gateway.of("a2.playback").some((event) => event["state"] === "finished"));
    gateway.full = true;
    gateway.drop();
    await page.waitForFunction(() => ["reconnecting", "full"].includes(probe().state), null, { timeout: SLOW_MS });
    await state("full");
    await shot("full");
    gateway.full = false;
    await page.getByRole("button", { name: "Ask now" }).click();
    await state("ready");
    const last = gateway.dials.at(-1)!.searchParams;
    expect(last.get("resume")).toBe("sess_test");
    expect(Number(last.get("last_sequence"))).toBeGreaterThan(5);
    expect(await page.evaluate(() => probe().captions.length)).toBe(2);
  });

  test("no microphone: a sentence, and typing goes on", async () => {
    await open({ init: () => (navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("none", "NotFoundError"))) });
    await page
      .getByRole("switch", { name: "Open microphone" })
      .check({ force: true })
      .catch(() => undefined);
    await expect.poll(() => page.getByRole("alert").innerText()).toContain("No microphone found");
    expect(await page.getByRole("switch", { name: "Open microphone" }).isChecked()).toBe(false);
    await shot("no-microphone");
    await ask("Still there?");
    await state("speaking");
  });

  test("the ten lines of the example, and the library as one file", async () => {
    page = await browser.newPage();
    page.on("pageerror", (error) => failures.push(error.message));
    await page.goto(`${origin}/examples/embed.html`, { timeout: SLOW_MS });
    await expect.poll(() => gateway.of("session.update").length, { timeout: SLOW_MS }).toBe(1);
    await page.waitForFunction(() => document.querySelector("canvas")?.style.opacity === "1", null, { timeout: SLOW_MS });
    const surface = await page.evaluate('import("/lib/a2llm.js").then(Object.keys)'); // as text: vitest rewrites import()
    expect(surface).toEqual(["A2Avatar"]);
  });

  test("phone width and the dark theme fit", async () => {
    await open({ width: 390, height: 780, quality: "high" });
    await shot("phone");
    await page.emulateMedia({ colorScheme: "dark" });
    await ask("Hello");
    await page.waitForFunction(() => (probe().captions.at(-1)?.text.length ?? 0) > 30, null, { timeout: SLOW_MS });
    await shot("phone-dark");
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  });

  test("the desktop in both themes", async () => {
    await open({ width: 1200, height: 760, quality: "high" });
    await shot("neutral");
    gateway.rounds = 8;
    await ask("How large is the heart of a whale?");
    await page.waitForFunction(() => (probe().captions.at(-1)?.text.length ?? 0) > 40, null, { timeout: SLOW_MS });
    await shot("speaking");
    await page.keyboard.press("Escape");
    await state("ready");
    await page.locator("#figures-toggle").click();
    await page.emulateMedia({ colorScheme: "dark" });
    await shot("dark");
    await page.getByLabel("Persona").selectOption("guide");
    await expect.poll(() => page.locator("#avatar").inputValue()).toContain("man.glb");
    await page.getByRole("button", { name: "Transcript" }).click();
    await page.waitForTimeout(4000); // the other head loads
    await shot("transcript");
    await page.getByRole("button", { name: "Settings" }).click();
    await page.getByText("Light", { exact: true }).click();
    await shot("settings");
  });
});

interface Options {
  width?: number;
  height?: number;
  quality?: "high" | "low";
  init?: () => void;
}

/** Small and in low quality, except where somebody will look at the picture. */
async function open({ width = 560, height = 520, quality = "low", init }: Options = {}): Promise<void> {
  page = await browser.newPage({ viewport: { width, height }, colorScheme: "light" });
  page.setDefaultTimeout(SLOW_MS);
  page.on("pageerror", (error) => failures.push(error.message));
  page.on(
    "console",
    (message) => message.type() === "error" && !message.text().includes("ERR_CONNECTION") && failures.push(message.text()),
  );
  await page.addInitScript("globalThis.probe = () => globalThis.__a2");
  await page.addInitScript((chosen) => localStorage.setItem("a2.preferences", JSON.stringify({ quality: chosen })), quality);
  if (init) await page.addInitScript(init);
  await page.goto(origin, { timeout: SLOW_MS });
  await page.waitForFunction(() => "__a2" in window, null, { timeout: SLOW_MS });
  await state("ready");
  await page.waitForFunction(() => document.querySelector("canvas")?.style.opacity === "1", null, { timeout: SLOW_MS });
}

async function ask(text: string): Promise<void> {
  await page.getByLabel("Message").fill(text);
  await page.getByLabel("Message").press("Enter");
}

async function state(wanted: string, also: () => boolean = () => true): Promise<void> {
  await expect.poll(async () => also() && (await page.evaluate(() => probe().state)), { timeout: SLOW_MS, interval: 20 }).toBe(wanted);
}

async function shot(name: string): Promise<void> {
  await page.waitForTimeout(600); // transitions
  await page.screenshot({ path: join(SHOTS, `${name}.png`), timeout: SLOW_MS });
}

interface Probe {
  state: string;
  turns: { status: string }[];
  captions: { who: string; text: string; final: boolean }[];
  playedMs: number | null;
  trace: { jawOpen: number; playedMs: number }[];
  morphs(): Record<string, number>;
}
declare const probe: () => Probe;
