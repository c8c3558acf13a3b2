// Vite plugin: writes sw.js with the list of the build's files, and puts pdf.js' character maps beside them.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const WORKER = path.resolve(import.meta.dirname, "../src/offline/service-worker.js");

/** The build's files are kept by the service worker; it is named so that its scope is the page's folder. */
export function offline() {
  let publicDir = "";
  return {
    name: "rushlight-offline",
    apply: "build",
    enforce: "post",
    configResolved(config) {
      ({ publicDir } = config);
    },
    generateBundle(_, bundle) {
      const hash = createHash("sha256");
      const built = Object.values(bundle).sort((a, b) => a.fileName.localeCompare(b.fileName));
      for (const file of built) hash.update(file.fileName).update(file.type === "chunk" ? file.code : file.source);
      const beside = readdirSync(publicDir).sort();
      for (const name of beside) hash.update(name).update(readFileSync(path.join(publicDir, name)));
      const names = new Set(["index.html", ...built.map(({ fileName }) => fileName), ...beside]);
      const files = [...names].filter((name) => !name.endsWith(".map") && !name.startsWith("cmaps/"));
      const source = readFileSync(WORKER, "utf8")
        .replace("__VERSION__", hash.digest("hex").slice(0, 16))
        .replace("__FILES__", JSON.stringify(files, null, 2));
      this.emitFile({ type: "asset", fileName: "sw.js", source });
    },
  };
}

/** PDFs in Chinese, Japanese and Korean may name their characters by tables that come with pdf.js; fetched only where one does. */
export function characterMaps() {
  const folder = path.join(path.dirname(createRequire(import.meta.url).resolve("pdfjs-dist/package.json")), "cmaps");
  return {
    name: "rushlight-character-maps",
    apply: "build",
    generateBundle() {
      for (const name of readdirSync(folder).filter((each) => each.endsWith(".bcmap") || each === "LICENSE")) {
        this.emitFile({ type: "asset", fileName: `cmaps/${name}`, source: readFileSync(path.join(folder, name)) });
      }
    },
  };
}
