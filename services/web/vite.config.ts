/** The page: `vite` for development (gateway at A2_GATEWAY), `vite build` for files that any server can give out at /. */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { avatars } from "./build/avatars.ts";
import { worklet } from "./build/worklet.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const gateway = process.env["A2_GATEWAY"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  base: "./",
  plugins: [worklet(), avatars()],
  resolve: { alias: { "@a2llm/web": here("src/index.ts") } },
  server: { proxy: { "/v1": { target: gateway, ws: true }, "/local": gateway } },
  build: {
    target: "es2022",
    chunkSizeWarningLimit: 1500,
    rollupOptions: { input: { page: here("index.html"), embed: here("examples/embed.html") } },
  },
});
