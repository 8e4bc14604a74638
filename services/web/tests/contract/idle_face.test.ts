/** The same golden poses as tests/unit/test_idle_face.py: the page's own idle face is the server's. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { IdleFace, type Mood } from "../../src/motion/idle.ts";
import { COEFFICIENTS } from "../../src/motion/pose.ts";

interface Golden {
  state: Mood;
  seed: number;
  ms: number;
  pose: Record<string, number>;
}

const GOLDEN = JSON.parse(readFileSync(new URL("../../../../tests/contract/golden/idle_face.json", import.meta.url), "utf8")) as Golden[];

test.each(GOLDEN)("$state, seed $seed, at $ms ms", ({ state, seed, ms, pose }) => {
  const made = new IdleFace(seed).at(ms, state);
  for (const [place, name] of COEFFICIENTS.entries()) expect(Math.abs(made[place]! - (pose[name] ?? 0)), name).toBeLessThan(2e-6);
});
