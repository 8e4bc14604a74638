/** Unit and contract tests: pure, no browser. */
import { defineConfig } from "vitest/config";
import { worklet } from "./build/worklet.ts";

export default defineConfig({
  plugins: [worklet()],
  test: { include: ["tests/{unit,contract}/**/*.test.ts"], testTimeout: 60_000, pool: "threads", maxWorkers: 1 },
});
