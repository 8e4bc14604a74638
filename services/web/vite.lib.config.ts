/** The library: one file with three.js inside, so that a plain page can import it. Written beside the page, into dist/lib. */
import { defineConfig } from "vite";
import { worklet } from "./build/worklet.ts";

export default defineConfig({
  plugins: [worklet()],
  publicDir: false,
  build: {
    target: "es2022",
    outDir: "dist/lib",
    chunkSizeWarningLimit: 1500,
    lib: { entry: "src/index.ts", formats: ["es"], fileName: "a2llm" },
  },
});
