/** A scripted gateway: the built page, a client secret, and a realtime socket that answers every turn with the same speech. */
import { createReadStream, existsSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { type WebSocket, WebSocketServer } from "ws";
import names from "../../src/motion/arkit61.json" with { type: "json" };

const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".glb": "model/gltf-binary" };
const WORDS = "The heart of a blue whale is about as large as a small car, and it beats only a few times a minute.".split(" ");
export const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const FPS = 60;
const STEP_MS = 50;
const LEAD_STEPS = 12;
const WORD_STEPS = 5;
export const ANSWER_MS = WORDS.length * WORD_STEPS * STEP_MS;

type Event = { type: string; [key: string]: unknown };

export class ScriptedGateway {
  readonly received: Event[] = [];
  readonly traces: unknown[] = [];
  readonly dials: URL[] = [];
  full = false;
  /** How often the answer's words are said. */
  rounds = 1;
  private readonly http: Server;
  private readonly sockets = new Set<WebSocket>();
  private number = 0;
  private responses = 0;
  private speaking: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly folder: string) {
    this.http = createServer((request, response) => this.serve(request, response));
    new WebSocketServer({ server: this.http, handleProtocols: () => "realtime" }).on("connection", (socket, request) =>
      this.open(socket, request),
    );
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.http.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    clearInterval(this.speaking);
    this.drop();
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  /** The line breaks. */
  drop(): void {
    for (const socket of this.sockets) socket.terminate();
  }

  tell(event: Event): void {
    const text = JSON.stringify({ event_id: `event_test_${++this.number}`, ...event });
    for (const socket of this.sockets) socket.send(text);
  }

  of(type: string): Event[] {
    return this.received.filter((event) => event.type === type);
  }

  private serve(request: IncomingMessage, response: ServerResponse): void {
    const path = new URL(request.url!, "http://x").pathname;
    if (path === "/local/session") return json(response, { value: "ek_dev_test", expires_at: 0, session: {} });
    if (path === "/v1/avatars") return json(response, { data: [{ name: "woman" }, { name: "man" }] });
    if (path === "/v1/personas")
      return json(response, {
        data: [
          { name: "companion", avatar: "woman" },
          { name: "guide", avatar: "man" },
        ],
      });
    if (path === "/v1/traces")
      return void request.on("data", (chunk: Buffer) => this.traces.push(JSON.parse(chunk.toString()))).on("end", () => json(response, {}));
    const file = join(this.folder, path === "/" ? "index.html" : path);
    if (!existsSync(file)) return void response.writeHead(404).end();
    response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" });
    createReadStream(file).pipe(response);
  }

  private open(socket: WebSocket, request: IncomingMessage): void {
    this.dials.push(new URL(request.url!, "http://x"));
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
    if (this.full) {
      this.tell({ type: "error", error: { type: "server_error", code: "no_capacity", message: "every place is taken" } });
      return socket.close(1013);
    }
    socket.on("message", (data: Buffer) => this.take(JSON.parse(data.toString()) as Event));
    this.tell({ type: "session.created", session: { id: "sess_test" } });
  }

  private take(event: Event): void {
    this.received.push(event);
    if (event.type === "session.update") this.tell({ type: "session.updated", session: { id: "sess_test" } });
    if (event.type === "conversation.item.create")
      this.tell({ type: "conversation.item.added", item: { ...(event["item"] as object), id: `item_u${this.number}` } });
    if (event.type === "response.create") this.answer();
    if (event.type === "response.cancel") this.cancel(String(event["response_id"]));
    if (event.type === "input_audio_buffer.append") this.listen();
  }

  /** A question after a second of sound, whatever it was. */
  private listen(): void {
    const heard = this.of("input_audio_buffer.append").length;
    if (heard === 25) this.tell({ type: "input_audio_buffer.speech_started", audio_start_ms: 500, item_id: "item_voice" });
    if (heard === 40)
      this.tell({ type: "conversation.item.input_audio_transcription.delta", item_id: "item_voice", delta: "How large is" });
    if (heard !== 60) return;
    this.tell({ type: "input_audio_buffer.speech_stopped", audio_end_ms: 1900, item_id: "item_voice" });
    this.tell({ type: "input_audio_buffer.committed", item_id: "item_voice", previous_item_id: null });
    this.tell({
      type: "conversation.item.input_audio_transcription.completed",
      item_id: "item_voice",
      transcript: "How large is the heart of a whale?",
    });
    this.answer();
  }

  private answer(): void {
    const id = `resp_${++this.responses}`;
    const place = { response_id: id, item_id: `item_${id}`, output_index: 0, content_index: 0 };
    const metadata = { "a2.traceparent": TRACEPARENT, "a2.compute_ms": "900" };
    this.tell({ type: "response.created", response: { id, status: "in_progress", metadata } });
    this.tell({
      type: "response.output_item.added",
      response_id: id,
      output_index: 0,
      item: { id: place.item_id, type: "message", role: "assistant", content: [] },
    });
    this.tell({
      type: "a2.motion.header",
      response_id: id,
      item_id: place.item_id,
      rig: "arkit61",
      fps: FPS,
      encoding: "json",
      coefficient_names: names,
    });
    let step = 0;
    const send = () => {
      if (step % WORD_STEPS === 0)
        this.tell({
          type: "response.output_audio_transcript.delta",
          ...place,
          delta: (step ? " " : "") + WORDS[(step / WORD_STEPS) % WORDS.length],
        });
      this.tell({ type: "response.output_audio.delta", ...place, delta: speech(step).toString("base64") });
      this.tell({
        type: "a2.motion.delta",
        ...place,
        sequence: step,
        start_ms: step * STEP_MS,
        frames: 3,
        values: [0, 1, 2].map((frame) => mouth(step * STEP_MS + (frame * 1000) / FPS)),
      });
      if (++step < this.rounds * WORDS.length * WORD_STEPS) return;
      clearInterval(this.speaking);
      this.tell({ type: "response.output_audio.done", ...place });
      this.tell({ type: "response.done", response: { id, status: "completed", metadata } });
    };
    for (let lead = 0; lead < LEAD_STEPS; lead++) send();
    clearInterval(this.speaking);
    this.speaking = setInterval(send, STEP_MS);
  }

  private cancel(id: string): void {
    clearInterval(this.speaking);
    this.tell({
      type: "response.done",
      response: { id, status: "cancelled", status_details: { type: "cancelled", reason: "client_cancelled" } },
    });
  }
}

const opening = (ms: number): number => 0.5 - 0.5 * Math.cos((2 * Math.PI * ms) / 250);

/** 50 ms of a voice-like tone, loud where the mouth is open. */
function speech(step: number): Buffer {
  const pcm = Buffer.alloc(STEP_MS * 48);
  for (let s = 0; s < STEP_MS * 24; s++) {
    const ms = step * STEP_MS + s / 24;
    const tone = Math.sin(2 * Math.PI * 0.14 * ms) + 0.5 * Math.sin(2 * Math.PI * 0.56 * ms);
    pcm.writeInt16LE(Math.round(5000 * opening(ms) * tone), s * 2);
  }
  return pcm;
}

function mouth(ms: number): number[] {
  const open = opening(ms);
  const values: Record<string, number> = {
    jawOpen: 0.3 * open,
    mouthLowerDownLeft: 0.3 * open,
    mouthLowerDownRight: 0.3 * open,
    mouthSmileLeft: 0.25,
    mouthSmileRight: 0.25,
    browInnerUp: 0.2,
    headYaw: 0.05 * Math.sin(ms / 700),
  };
  return names.map((name) => values[name] ?? 0);
}

function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}
