// The server of the browser tests. `rushlight serve` has tests of its own; this one can also do what a good server never
// does: cut a file short, damage it, send it slowly, put a script of the tests before the package's worker. It sends a Content-Security-Policy with every answer, so that the
// worker, which does not inherit the page's, is held to it too.

import { createReadStream, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { Transform } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

import { MODEL, SMOLLM, inRepository, minilmFolder, modelFile, smollmFile } from "./paths.mjs";
import { SCRIPTED_PAGE } from "./scripted_page.mjs";
import { SMALL_MODELS } from "./small_models.mjs";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
};

const HEADERS = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
  "content-security-policy":
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; img-src 'self'; manifest-src 'self'; connect-src 'self' https: http://localhost:*",
};

/** The headers without which a page is not cross-origin isolated. */
const ISOLATION = ["cross-origin-opener-policy", "cross-origin-embedder-policy"];

/** A folder behind a path; the longest path that fits decides. */
const FOLDERS = [
  ["/pkg/dist/", inRepository("pkg/dist")],
  ["/pkg/modules/", inRepository("pkg/modules")],
  ["/pkg/wasm/", inRepository("pkg/wasm")],
  ["/pkg/wasm-selftest/", inRepository("pkg/wasm-selftest")],
  ["/test/", path.resolve(import.meta.dirname, "../pages")],
  ["/small-models/", SMALL_MODELS],
  ["/minilm/", minilmFolder()],
  ["/models/all-MiniLM-L6-v2/", minilmFolder()],
  ["/scripted/", SCRIPTED_PAGE],
  ["/", inRepository("www/dist")],
];

/** Model files that are not as they should be. */
const DAMAGED = {
  // Cut in the middle of the weights: the server says that this is all there is.
  "/models/truncated.gguf": (size) => ({ end: Math.floor(size / 2) }),
  // Cut in the middle of the metadata.
  "/models/header-only.gguf": () => ({ end: 100_000 }),
  "/models/empty.gguf": () => ({ end: 0 }),
  // Another magic number.
  "/models/bad-magic.gguf": () => ({ flip: [0, 1] }),
  // A number of tensors that no file can have: the high bytes of the 64-bit count after magic and version.
  "/models/bad-count.gguf": () => ({ flip: [14, 15] }),
  // The connection breaks although the length promised more.
  "/models/cut-connection.gguf": (size) => ({ breakAt: Math.floor(size / 4) }),
  // About 20 MB a second, to have time for pressing Stop.
  "/models/slow.gguf": () => ({ bytesPerMs: 20_000 }),
};

/** The package's worker, in the package and as the page bundles it. */
const WORKER = /\/worker[^/]*\.js$/;

/**
 * Starts the server on a free port. `aborted` counts the bodies whose reader went away. A test may set `beforeWorker`, a script;
 * `missing`, a pattern of paths that are not found; `isolated` to false; `requests`, a list that takes method, address, headers and
 * number of body bytes of every request; `intercept`, a function of request, answer and the usual headers that says whether it took
 * the request.
 */
export async function startServer() {
  const state = {
    aborted: 0,
    beforeWorker: undefined,
    intercept: undefined,
    isolated: true,
    missing: undefined,
    requests: undefined,
  };
  const server = createServer((request, answer) => {
    handle(request, answer, state).catch((error) => {
      console.error(`test server: ${request.url}: ${error.stack}`);
      answer.destroy();
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://localhost:${server.address().port}`,
    state,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function handle(request, answer, state) {
  if (state.intercept?.(request, answer, HEADERS) === true) return;
  const { pathname } = new URL(request.url, "http://localhost");
  state.requests?.push(await recorded(request));
  if (pathname === `/models/${MODEL}`) return await sendFile(answer, modelFile(), {}, state);
  if (pathname === `/models/${SMOLLM}`) return await sendFile(answer, smollmFile(), {}, state);
  const damage = DAMAGED[pathname];
  if (damage !== undefined) return await sendFile(answer, modelFile(), damage(statSync(modelFile()).size), state);
  const file = state.missing?.test(pathname) === true ? undefined : resolveFile(pathname, state.folders);
  if (file === undefined) {
    answer.writeHead(404, { ...HEADERS, "content-type": "text/plain" }).end("not found");
    return;
  }
  if (state.beforeWorker !== undefined && WORKER.test(pathname)) {
    const script = `import ${JSON.stringify(state.beforeWorker)};\n${await readFile(file, "utf8")}`;
    answer.writeHead(200, { ...HEADERS, "content-type": TYPES[".js"] }).end(script);
    return;
  }
  await sendFile(answer, file, {}, state);
}

/** What a request says to the server. */
async function recorded(request) {
  let body = 0;
  for await (const chunk of request) body += chunk.length;
  return { method: request.method, url: request.url, headers: JSON.stringify(request.headers), body };
}

/** A test may set other `folders` in the server's state. */
function resolveFile(pathname, folders = FOLDERS) {
  const [prefix, folder] = folders.find(([start]) => pathname.startsWith(start));
  const name = path.normalize(decodeURIComponent(pathname.slice(prefix.length)) || "index.html");
  if (name.startsWith("..")) return undefined;
  const file = path.join(folder, name);
  return statSync(file, { throwIfNoEntry: false })?.isFile() ? file : undefined;
}

async function sendFile(answer, file, { end, flip = [], breakAt, bytesPerMs }, state) {
  const size = end ?? statSync(file).size;
  const headers = { ...HEADERS };
  if (!state.isolated) for (const name of ISOLATION) delete headers[name];
  answer.writeHead(200, {
    ...headers,
    "content-type": TYPES[path.extname(file)] ?? "application/octet-stream",
    "content-length": size,
  });
  if (size === 0) {
    answer.end();
    return;
  }
  let at = 0;
  const change = new Transform({
    async transform(chunk, _, done) {
      for (const position of flip) {
        if (position >= at && position < at + chunk.length) chunk[position - at] ^= 0xff;
      }
      at += chunk.length;
      if (bytesPerMs !== undefined) await sleep(chunk.length / bytesPerMs);
      if (breakAt !== undefined && at >= breakAt) answer.destroy();
      else done(null, chunk);
    },
  });
  answer.on("close", () => {
    if (!answer.writableFinished) state.aborted++;
    source.destroy();
  });
  const source = createReadStream(file, { end: size - 1, highWaterMark: 256 * 1024 });
  source.pipe(change).pipe(answer);
}
