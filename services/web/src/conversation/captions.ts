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

/**
 * Text in pages for subtitles: each at most `longest` characters, ending with a sentence where one ends in its second half.
 * More text at the end never changes an earlier page, so subtitles grow and turn, and never scroll.
 */
export function pagesOf(text: string, longest: number): string[] {
  const pages: string[] = [];
  let rest = text.trim();
  while (rest.length > longest) {
    const page = rest.slice(0, longest + 1);
    const sentence = Math.max(...[". ", "? ", "! "].map((end) => page.lastIndexOf(end) + 1));
    const word = page.lastIndexOf(" ");
    const end = sentence > longest / 2 ? sentence : word > 0 ? word : longest;
    pages.push(rest.slice(0, end).trim());
    rest = rest.slice(end).trim();
  }
  return [...pages, rest];
}

/** The line as somebody heard it who was interrupted at `ms`. */
export function cutLine(line: Line, ms: number): Line {
  return { ...line, text: heardText(line, ms), status: "cut", cues: line.cues.filter(({ atMs }) => atMs <= ms) };
}
