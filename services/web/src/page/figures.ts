/** The discreet panel: figures of the last turns, newest first. */
import type { Turn } from "../conversation/turns.ts";
import { box } from "./dom.ts";

const SHOWN_TURNS = 5;

export function showFigures(turns: readonly Turn[]): void {
  const first = Math.max(0, turns.length - SHOWN_TURNS);
  const rows = turns.slice(first).map((turn, index) => row(first + index + 1, turn));
  box("figures-rows").replaceChildren(...rows.reverse());
  box("figures-none").hidden = turns.length > 0;
}

function row(number: number, turn: Turn): HTMLTableRowElement {
  const cells = [
    `${number}`,
    milliseconds(turn.ttfaMs),
    milliseconds(turn.frlMs),
    turn.rtf === null ? "–" : turn.rtf.toFixed(2),
    `${turn.underruns}`,
  ];
  const line = document.createElement("tr");
  line.append(...cells.map((text, column) => Object.assign(document.createElement(column ? "td" : "th"), { textContent: text })));
  return line;
}

const milliseconds = (ms: number | null): string => (ms === null ? "–" : `${Math.round(ms)} ms`);
