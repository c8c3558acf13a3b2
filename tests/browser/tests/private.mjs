// Nothing leaves the page. Everything that this browser sends is recorded: requests as its debugging protocol sees them, requests as
// the server sees them, and every connection to any other name, which a trap answers for all of them.

import assert from "node:assert/strict";
import { createServer } from "node:net";

import { chromium } from "playwright-core";

import { CHROMIUM, chromiumProgram } from "../lib/browsers.mjs";
import { generate, open, read } from "../lib/page.mjs";

/** Words that must not be seen anywhere. */
const SECRETS = { document: "quixotry-4471", typed: "zephyrine-9083", asked: "halberdier-2256" };

const DOCUMENT = `The cellar key hangs behind the clock. The word for the safe is ${SECRETS.document}. The boat leaves at seven in the morning.`;

/** Names that Chromium itself asks for updates, accounts and kinds of form fields, whatever page is open. A request of the page to one of them is seen by the
 * debugging protocol. */
const CHROMIUMS_OWN = [
  "accounts.google.com",
  "clients2.google.com",
  "clientservices.googleapis.com",
  "content-autofill.googleapis.com",
  "optimizationguide-pa.googleapis.com",
  "update.googleapis.com",
];

/** The name that a connection is for: of a TLS greeting or of plain HTTP; else how it begins. */
function nameIn(data) {
  const tls = data[0] === 0x16 ? serverName(data) : undefined;
  const text = data.toString("latin1");
  return tls ?? /^host: ([^:\r]+)/im.exec(text)?.[1] ?? text.slice(0, 60);
}

/** The extension server_name (RFC 6066) of a ClientHello (RFC 8446, 4.1.2), which a record of 5 bytes and a header of 4 stand before. */
function serverName(hello) {
  let at = 9 + 2 + 32;
  at += 1 + hello.readUInt8(at); // Session.
  at += 2 + hello.readUInt16BE(at); // Ciphers.
  at += 1 + hello.readUInt8(at) + 2; // Compressions, and how long the extensions are.
  while (at + 4 <= hello.length) {
    const [type, length] = [hello.readUInt16BE(at), hello.readUInt16BE(at + 2)];
    if (type === 0) return hello.toString("latin1", at + 9, at + 4 + length);
    at += 4 + length;
  }
  return undefined;
}

/** Takes every connection, and writes down whom it is for. */
async function startTrap() {
  const caught = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (data) => {
      caught.push(nameIn(data));
      socket.destroy();
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: server.address().port, caught, close: () => server.close() };
}

/** Chromium in which every name but this machine's leads to the trap. */
async function trappedChromium(port) {
  const rules = `--host-resolver-rules=MAP * 127.0.0.1:${port}, EXCLUDE localhost`;
  const env = { ...process.env };
  delete env.VK_ICD_FILENAMES;
  return await chromium.launch({ executablePath: chromiumProgram(), headless: true, args: [...CHROMIUM, rules], env });
}

/** Whether a text has a word in it, plainly or in base64, whose letters depend on where a word begins. */
function shows(text, word) {
  const shifted = ["", "a", "ab"].map((before) => Buffer.from(before + word).toString("base64").slice(4, -4));
  return [word, ...shifted].some((form) => text.includes(form));
}

export default [
  {
    name: "private: no third party is asked for anything, and nothing typed or dropped leaves the page",
    async run(context) {
      const trap = await startTrap();
      const browser = await trappedChromium(trap.port);
      const sent = [];
      context.server.state.requests = [];
      try {
        const page = await browser.newPage();
        // All of the context, the service worker's among them.
        page.context().on("request", (request) => {
          sent.push({ method: request.method(), url: request.url(), body: request.postData(), headers: JSON.stringify(request.headers()) });
        });
        page.on("websocket", (socket) => sent.push({ method: "WEBSOCKET", url: socket.url(), body: null, headers: "" }));
        await page.goto(context.url("/"));
        const verbs = {
          click: (selector) => page.click(selector),
          evaluate: (script, argument) => page.evaluate(script, argument),
          waitFor: (_, script, argument) => page.waitForFunction(script, argument),
        };
        await page.setInputFiles("#document-file", { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from(DOCUMENT) });
        await page.waitForSelector("#reader");

        // The models load with the first answer of each kind; from then on nothing at all may be sent.
        await open(verbs, "playground");
        await page.fill("#prompt", `My own word is ${SECRETS.typed} and`);
        await page.fill("#max-tokens", "3");
        const { failure, tokens } = await generate(verbs);
        assert.equal(failure, null, failure?.text);
        assert.equal(tokens.length, 3);
        await page.waitForFunction(async () => (await navigator.serviceWorker.ready).active?.state === "activated");
        await page.waitForTimeout(500);
        // Chromium asks for the page's icon again when the part after # changes.
        const said = () => sent.map(({ url }) => url).filter((url) => !url.endsWith("/flame.svg"));
        const served = () => context.server.state.requests.filter(({ url }) => url !== "/flame.svg").length;
        const ask = async () => {
          await open(verbs, "ask");
          await page.fill("#question", `What is the word for the safe, ${SECRETS.asked}?`);
          await page.click("#ask-button");
          await page.waitForFunction(() => !["loading", "generating"].includes(document.body.dataset.state));
          const outcome = await read(verbs);
          assert.equal(outcome.failure, null, outcome.failure?.text);
        };
        await ask();
        assert.ok(said().some((url) => url.endsWith("/all-MiniLM-L6-v2/model.safetensors")), "passages are found by meaning");
        const before = { sent: said().length, served: served() };
        await open(verbs, "playground");
        await generate(verbs);
        await ask();
        const { answer, mark, text } = await page.evaluate(() => ({
          answer: document.querySelector("#found-text").textContent,
          mark: document.querySelector("#reader mark")?.textContent,
          text: document.querySelector("#reader").textContent,
        }));
        assert.equal(text, DOCUMENT);
        assert.match(answer, new RegExp(SECRETS.document));
        assert.equal(mark, answer);

        assert.deepEqual(said().slice(before.sent), [], "once the models are there, nothing is sent");
        assert.equal(served(), before.served);
        const origin = new URL(context.url("/")).origin;
        assert.deepEqual(sent.filter(({ url }) => !url.startsWith(`${origin}/`) && !url.startsWith(`blob:${origin}/`)), [], "third parties");
        assert.deepEqual(trap.caught.filter((name) => !CHROMIUMS_OWN.includes(name)), [], "connections to other names");
        assert.deepEqual(sent.filter(({ method, body }) => method !== "GET" || body !== null), [], "only GET, without bodies");
        assert.ok(context.server.state.requests.every(({ method, body }) => method === "GET" && body === 0));
        for (const [what, secret] of Object.entries(SECRETS)) {
          const leaks = [...sent, ...context.server.state.requests].filter(({ url, headers }) => shows(url, secret) || shows(headers, secret));
          assert.deepEqual(leaks, [], what);
        }
        assert.ok(sent.length > 5 && context.server.state.requests.length > 5, "the records are no empty ones");
        const kept = await page.evaluate(() => JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage), document.cookie, location.href]));
        for (const secret of Object.values(SECRETS)) assert.ok(!kept.includes(secret), "nothing of it is kept");
        return `${sent.length} requests, all to this machine`;
      } finally {
        context.server.state.requests = undefined;
        await browser.close();
        trap.close();
      }
    },
  },
  {
    name: "private: the trap catches what the policy would let a page send, which is https by fetch alone",
    async run(context) {
      const trap = await startTrap();
      const browser = await trappedChromium(trap.port);
      try {
        const page = await browser.newPage();
        await page.goto(context.url("/"));
        // The policy lets models come from anywhere, by https alone, and nothing but that go out.
        const blocked = await page.evaluate(async () => {
          await fetch("https://elsewhere.example/x").catch(() => {});
          const names = [];
          document.addEventListener("securitypolicyviolation", ({ blockedURI }) => names.push(blockedURI));
          await fetch("http://plain.example/x").catch(() => {});
          const image = new Image();
          await new Promise((resolve) => {
            image.onerror = resolve;
            image.src = "https://picture.example/x";
          });
          // The page's policy and the server's each say it.
          return [...new Set(names.map((name) => new URL(name).hostname))];
        });
        assert.deepEqual(blocked.toSorted(), ["picture.example", "plain.example"]);
        const names = trap.caught.filter((name) => name.endsWith(".example"));
        assert.deepEqual([...new Set(names)], ["elsewhere.example"], "what the policy lets go, the trap takes");
      } finally {
        await browser.close();
        trap.close();
      }
    },
  },
];
