/** Words on the audio's clock: what of a line has been heard. Pure. */

/** From `atMs` of the item's audio on, the first `chars` characters of the line have begun. */
export interface Cue {
  atMs: number;
  chars: number;
}

/** "partial": still growing; "cut": interrupted, ends where it was heard; "failed": not understood. */
export type LineStatus = "partial" | "done" | "cut" | "failed";

export interface Line {
  readonly id: string;
  readonly who: "user" | "avatar";
  readonly text: string;
  readonly status: LineStatus;
  readonly responseId: string;
  readonly cues: readonly Cue[];
}

/** Where a character stands that begins at `ms`: the text up to the last cue that has begun. Text without cues is all there. */
export function heardText(line: Line, playedMs: number): string {
  if (!line.cues.length) return line.text;
  const cue = line.cues.findLast(({ atMs }) => atMs <= playedMs);
  return line.text.slice(0, cue?.chars ?? 0).trimEnd();
}

/** The line as somebody heard it who was interrupted at `ms`. */
export function cutLine(line: Line, ms: number): Line {
  return { ...line, text: heardText(line, ms), status: "cut", cues: line.cues.filter(({ atMs }) => atMs <= ms) };
}
