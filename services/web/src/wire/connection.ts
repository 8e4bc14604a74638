/**
 * One realtime session over as many sockets as it takes: connects, and after a loss reconnects with growing pauses and
 * `?resume=&last_sequence=`, so that only what was missed comes again. It knows when, not what: events go to the caller.
 */
import { type ClientEvent, numberOf, readEvent, type ServerEvent } from "./events.ts";

export type ConnectionState = "closed" | "connecting" | "open" | "reconnecting" | "full" | "failed";

export interface ConnectionOptions {
  /** http(s) origin of the gateway. */
  url: string;
  /** A fresh client secret for every socket; may throw Refusal. */
  secret(): Promise<string>;
  onEvent(event: ServerEvent): void;
  onBinary(frame: ArrayBuffer): void;
  onState(state: ConnectionState, detail: string): void;
  /** Tests pass their own. */
  openSocket?(url: string, protocols: string[]): WebSocket;
}

/** The gateway says no: `full` is worth waiting for, anything else is not. */
export class Refusal extends Error {
  constructor(
    message: string,
    readonly full: boolean,
    readonly retryAfterMs: number | null = null,
  ) {
    super(message);
  }
}

const PAUSES_MS = [300, 800, 1500, 3000, 6000, 10_000];
const FULL_PAUSE_MS = 5000;
const MAX_BUFFERED_BYTES = 1 << 20;
const FULL_CODES = new Set(["no_capacity", "too_many_sessions", "rate_limited", "quota_spent"]);
const HOPELESS_CODES = new Set(["unauthorized", "forbidden", "quota_spent"]);
/** There is nothing to resume: begin anew. */
const GONE_CODES = new Set(["not_found", "session_expired"]);
const TRY_AGAIN_LATER = 1013;

export class Connection {
  state: ConnectionState = "closed";
  private socket: WebSocket | null = null;
  private wanted = false;
  private attempts = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private handle = "";
  private sessionId = "";
  private lastSequence = 0;
  private refusal: Refusal | null = null;

  constructor(private readonly options: ConnectionOptions) {}

  open(): void {
    if (this.socket && this.state === "open") return;
    this.wanted = true;
    this.attempts = 0;
    void this.dial();
  }

  close(): void {
    this.wanted = false;
    clearTimeout(this.timer);
    this.drop();
    this.enter("closed");
  }

  /** Whether it left: nothing is kept for later while there is no socket, and audio is dropped when the line is choked. */
  send(event: ClientEvent): boolean {
    return this.sendRaw(JSON.stringify(event));
  }

  sendRaw(frame: string | Uint8Array<ArrayBuffer>): boolean {
    if (this.socket?.readyState !== WebSocket.OPEN || this.socket.bufferedAmount > MAX_BUFFERED_BYTES) return false;
    this.socket.send(frame);
    return true;
  }

  /** Now instead of after the pause (the network came back, the user pressed a button). */
  retryNow(): void {
    if (this.wanted && this.state !== "open" && this.state !== "connecting") {
      clearTimeout(this.timer);
      void this.dial();
    }
  }

  private async dial(): Promise<void> {
    this.enter(this.handle || this.attempts ? "reconnecting" : "connecting");
    this.refusal = null;
    try {
      const secret = await this.options.secret();
      if (this.wanted) this.listen(this.newSocket(secret));
    } catch (error) {
      this.refusal = error instanceof Refusal ? error : null;
      this.lost(error instanceof Error ? error.message : String(error));
    }
  }

  private newSocket(secret: string): WebSocket {
    const url = new URL("/v1/realtime", this.options.url);
    url.protocol = url.protocol.replace("http", "ws");
    if (this.handle) {
      url.searchParams.set("resume", this.handle);
      url.searchParams.set("last_sequence", String(this.lastSequence));
    }
    const open = this.options.openSocket ?? ((to: string, protocols: string[]) => new WebSocket(to, protocols));
    return open(url.href, ["realtime", `a2-client-secret.${secret}`]);
  }

  private listen(socket: WebSocket): void {
    this.drop();
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => this.receive(data);
    socket.onclose = ({ code, reason }) => this.socket === socket && this.lost(reason, code);
  }

  private receive(data: string | ArrayBuffer): void {
    if (typeof data !== "string") return this.options.onBinary(data);
    const event = readEvent(data);
    if (!event || this.known(event)) return;
    if (event.type === "session.created") this.began(String(event.session["id"] ?? ""));
    if (event.type === "a2.go_away") this.handle = event.resume_handle;
    if (event.type === "error") this.consider(event.error.code, event.error.message);
    this.lastSequence = Math.max(this.lastSequence, numberOf(event));
    this.options.onEvent(event);
  }

  /** A resumed session may send again what had already come. */
  private known(event: ServerEvent): boolean {
    const number = numberOf(event);
    return event.type !== "session.created" && number > 0 && number <= this.lastSequence;
  }

  private began(sessionId: string): void {
    if (sessionId !== this.sessionId) this.lastSequence = 0; // another session: its numbers start anew
    this.sessionId = this.handle = sessionId;
    this.attempts = 0;
    this.enter("open");
  }

  /** Errors before the session began explain the close that follows. */
  private consider(code: string, message: string): void {
    if (this.state !== "open" && (FULL_CODES.has(code) || HOPELESS_CODES.has(code))) {
      this.refusal = new Refusal(message, !HOPELESS_CODES.has(code));
    }
    if (this.state !== "open" && GONE_CODES.has(code)) this.handle = "";
  }

  private lost(reason: string, code = 0): void {
    this.drop();
    if (!this.wanted) return;
    if (this.refusal && !this.refusal.full) return this.enter("failed", this.refusal.message);
    const full = this.refusal?.full || code === TRY_AGAIN_LATER;
    const pause = full ? (this.refusal?.retryAfterMs ?? FULL_PAUSE_MS) : PAUSES_MS[Math.min(this.attempts, PAUSES_MS.length - 1)]!;
    this.attempts++;
    this.enter(full ? "full" : "reconnecting", this.refusal?.message ?? reason);
    this.timer = setTimeout(() => void this.dial(), pause * (0.8 + 0.4 * Math.random()));
  }

  private drop(): void {
    const socket = this.socket;
    this.socket = null;
    if (socket && socket.readyState < WebSocket.CLOSING) socket.close(1000);
  }

  private enter(state: ConnectionState, detail = ""): void {
    if (state === "reconnecting" && this.state === "full" && !detail) return; // still waiting for a place
    this.state = state;
    this.options.onState(state, detail);
  }
}
