/** Vite plugin: the default heads of models/avatars at /avatars/*.glb, from the dev server and copied into the build. */
import { copyFileSync, createReadStream, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

const SOURCE = fileURLToPath(new URL("../../../models/avatars/", import.meta.url));

export function avatars(): Plugin {
  let outDir = "dist";
  return {
    name: "a2-avatars",
    configResolved(config) {
      outDir = join(config.root, config.build.outDir);
    },
    configureServer(server) {
      server.middlewares.use("/avatars", (request, response, next) => {
        const file = join(SOURCE, (request.url ?? "").split("?")[0]!.replaceAll("..", ""));
        if (!file.endsWith(".glb") || !existsSync(file)) return next();
        response.setHeader("Content-Type", "model/gltf-binary");
        createReadStream(file).pipe(response);
      });
    },
    writeBundle() {
      mkdirSync(join(outDir, "avatars"), { recursive: true });
      for (const name of readdirSync(SOURCE)) {
        if (name.endsWith(".glb")) copyFileSync(join(SOURCE, name), join(outDir, "avatars", name));
      }
    },
  };
}
