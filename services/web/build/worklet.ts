/**
 * Vite plugin: `import code from "./capture.worklet.ts?worklet"` is that module, bundled, as text. Works alike in dev, page, library and
 * tests.
 */
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "vite";

const SUFFIX = "?worklet";

export function worklet(): Plugin {
  return {
    name: "a2-worklet",
    enforce: "pre",
    async load(id) {
      if (!id.endsWith(SUFFIX)) return null;
      const entry = id.slice(0, -SUFFIX.length);
      this.addWatchFile(entry);
      return `export default ${JSON.stringify(await bundled(entry))};`;
    },
  };
}

async function bundled(entry: string): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: "error",
    root: fileURLToPath(new URL("..", import.meta.url)),
    build: { write: false, minify: true, lib: { entry, formats: ["iife"], name: "a2worklet" } },
  });
  const output = (Array.isArray(result) ? result[0] : result) as { output: { type: string; code?: string }[] };
  return output.output.find((part) => part.type === "chunk")?.code ?? "";
}
