/** The few REST calls of a page: a client secret, the lists behind the pickers, spans. RFC 9457 problems become Refusals. */
import { Refusal } from "./connection.ts";

export interface AvatarInfo {
  name: string;
  url: string;
  title: string;
}
export interface PersonaInfo {
  name: string;
  title: string;
  avatar: string;
}

interface Problem {
  code?: string;
  title?: string;
  detail?: string;
}

const WAIT_STATUS = new Set([429, 503]);

/**
 * The client secret of the local page: the gateway of the local profile mints one at GET /local/session, for this origin only,
 * with the body of POST /v1/realtime/client_secrets. Other pages get theirs from their own server.
 */
export async function localSecret(url: string): Promise<string> {
  const body = (await getJson(new URL("/local/session", url))) as { value?: string; client_secret?: { value?: string } };
  const secret = body.value ?? body.client_secret?.value;
  if (!secret) throw new Refusal("the gateway gave no client secret", false);
  return secret;
}

/** Heads to choose from; the default two where the gateway does not say. */
export async function avatarList(url: string, secret: string): Promise<AvatarInfo[]> {
  const rows = await list(new URL("/v1/avatars", url), secret);
  const named = rows.map((row) => ({
    name: nameOf(row),
    title: titleOf(row),
    url: String(row["url"] ?? row["model_url"] ?? `/avatars/${nameOf(row)}.glb`),
  }));
  return named.length ? named : ["woman", "man"].map((name) => ({ name, title: titled(name), url: `/avatars/${name}.glb` }));
}

export async function personaList(url: string, secret: string): Promise<PersonaInfo[]> {
  const rows = await list(new URL("/v1/personas", url), secret);
  return rows.map((row) => ({ name: nameOf(row), title: titleOf(row), avatar: String(row["avatar"] ?? "") }));
}

/** OTLP/HTTP with JSON; nobody waits for it and its loss is no error. */
export function postTraces(url: string, secret: string, body: unknown): void {
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${secret}` };
  fetch(new URL("/v1/traces", url), { method: "POST", headers, body: JSON.stringify(body), keepalive: true }).catch(() => undefined);
}

type Row = Record<string, unknown>;

async function list(address: URL, secret: string): Promise<Row[]> {
  try {
    const body = (await getJson(address, secret)) as { data?: Row[] } | Row[];
    return Array.isArray(body) ? body : (body.data ?? []);
  } catch {
    return []; // a picker without choices is hidden; talking works all the same
  }
}

async function getJson(address: URL, secret = ""): Promise<unknown> {
  const response = await fetch(address, { headers: secret ? { Authorization: `Bearer ${secret}` } : {}, cache: "no-store" });
  if (!response.ok) throw await refusalOf(response);
  return response.json();
}

async function refusalOf(response: Response): Promise<Error> {
  const problem = (await response.json().catch(() => ({}))) as Problem;
  const message = problem.detail ?? problem.title ?? `the gateway answered ${response.status}`;
  const seconds = Number(response.headers.get("Retry-After"));
  if (WAIT_STATUS.has(response.status)) return new Refusal(message, true, seconds > 0 ? seconds * 1000 : null);
  return response.status < 500 ? new Refusal(message, false) : new Error(message);
}

const nameOf = (row: Row): string => String(row["name"] ?? row["id"] ?? "");
const titleOf = (row: Row): string => String(row["title"] ?? titled(nameOf(row)));
const titled = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");
