/** Captions: the current exchange under the face, the whole transcript in its sheet, finished lines for screen readers. */
import type { Caption } from "../avatar/options.ts";
import { pagesOf } from "../conversation/captions.ts";
import { box, setText } from "./dom.ts";

const NAMES = { user: "You", avatar: "Avatar" } as const;
/** Two lines under the face, three on a phone: the mouth stays free. */
const PAGE_CHARACTERS = 84;

export class CaptionView {
  private readonly user = box("caption-user");
  private readonly avatar = box("caption-avatar");
  private readonly lines = box("log-lines");
  private readonly none = box("log-none");
  private readonly said = box("said");
  private readonly rows = new Map<string, HTMLLIElement>();
  private readonly told = new Set<string>();

  show(captions: readonly Caption[]): void {
    const shown = captions.filter(({ text }) => text);
    this.showCurrent(shown);
    this.showAll(shown);
    for (const caption of shown) if (caption.final && !this.told.has(caption.id)) this.tell(caption);
  }

  /** The question stays until the answer turns its first page. */
  private showCurrent(captions: readonly Caption[]): void {
    const last = captions.findLastIndex(({ who }) => who === "user");
    const answers = captions.slice(last + 1).map(({ text, line }) => (line.status === "cut" ? `${text} —` : text));
    const pages = pagesOf(answers.join(" "), PAGE_CHARACTERS);
    setText(this.user, last >= 0 && pages.length === 1 ? pagesOf(captions[last]!.text, PAGE_CHARACTERS).at(-1)! : "");
    setText(this.avatar, pages.at(-1)!);
  }

  private showAll(captions: readonly Caption[]): void {
    this.none.hidden = captions.length > 0;
    for (const caption of captions) this.row(caption);
    const known = new Set(captions.map(({ id }) => id));
    for (const [id, row] of this.rows) if (!known.has(id)) this.forget(id, row);
  }

  private row({ id, who, text, line }: Caption): void {
    let row = this.rows.get(id);
    if (!row) {
      row = document.createElement("li");
      row.append(Object.assign(document.createElement("b"), { textContent: NAMES[who] }), document.createElement("span"));
      this.rows.set(id, row);
      this.lines.append(row);
    }
    setText(row.lastElementChild as HTMLElement, text);
    row.lastElementChild!.className = line.status === "cut" ? "cut" : "";
  }

  private forget(id: string, row: HTMLLIElement): void {
    row.remove();
    this.rows.delete(id);
  }

  private tell({ id, who, text }: Caption): void {
    this.told.add(id);
    this.said.append(Object.assign(document.createElement("p"), { textContent: `${NAMES[who]}: ${text}` }));
    if (this.said.childElementCount > 30) this.said.firstElementChild!.remove();
  }
}
