/** From lines to captions: how much of each line has been heard, told once per change. */
import { heardText, type Line } from "../conversation/captions.ts";
import type { Heard } from "../motion/face.ts";
import type { Caption } from "./options.ts";

/** `unheard` says whether some of a response is still to be heard. */
export function subtitlesOf(lines: readonly Line[], heard: Heard | null, unheard: (responseId: string) => boolean): Caption[] {
  return lines.map((line) => {
    const waiting = line.who === "avatar" && line.cues.length > 0 && unheard(line.responseId);
    const text = waiting ? heardText(line, heard?.responseId === line.responseId ? heard.ms : -1) : line.text;
    return { id: line.id, who: line.who, text, final: line.status !== "partial" && !waiting, line };
  });
}

/** Lets captions through only when they differ from the last ones. */
export class CaptionGate {
  private key = "";

  changed(captions: readonly Caption[]): boolean {
    const latest = captions.slice(-4).map(({ id, text, final }) => `${id} ${text} ${final}`);
    const key = `${captions.length} ${latest.join()}`;
    if (key === this.key) return false;
    this.key = key;
    return true;
  }
}
