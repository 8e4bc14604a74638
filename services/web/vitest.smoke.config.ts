/** The page in a real browser against a scripted server; needs `npm run build` and Chromium (A2_CHROMIUM, default /usr/bin/chromium). */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["tests/smoke/**/*.test.ts"], testTimeout: 600_000, hookTimeout: 120_000, pool: "threads", maxWorkers: 1 },
});
