// Chromium as a visitor has it: nobody looks at its traffic. Playwright listens to every page's and worker's network events, and answers of
// up to 16 MB then cost the page's process much more than those of 32 MB, as if it kept a copy of the smaller ones: a file in parts took
// about 1.3 s to fetch instead of about 0.5 s. Here a page is opened and asked for a value, and nothing else is switched on
// (https://chromedevtools.github.io/devtools-protocol/).

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { CHROMIUM_WITHOUT_GPU, chromiumProgram } from "../../tests/browser/lib/browsers.mjs";

/** How long a page may take to say that it is ready. */
const READY_MS = 60_000;

/** Starts a Chromium of its own profile. */
export function openUndisturbed() {
  const profile = mkdtempSync(path.join(tmpdir(), "rushlight-bench-"));
  const env = { ...process.env };
  delete env.VK_ICD_FILENAMES;
  // The protocol goes over descriptors 3 and 4, messages end with a zero byte.
  const args = [...CHROMIUM_WITHOUT_GPU, "--headless", "--remote-debugging-pipe", `--user-data-dir=${profile}`, "about:blank"];
  const child = spawn(chromiumProgram(), args, { env, stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
  const protocol = new Protocol(child);
  return {
    /** Opens a page in a context of its own, waits for its `ready`, and gives what `script` makes of `argument` there. */
    async measure(url, script, argument, patienceMs) {
      const { browserContextId } = await protocol.send("Target.createBrowserContext");
      try {
        const { targetId } = await protocol.send("Target.createTarget", { url, browserContextId });
        const { sessionId } = await protocol.send("Target.attachToTarget", { targetId, flatten: true });
        const evaluate = (expression) => protocol.evaluate(sessionId, expression);
        // Until the page is there, nothing can be evaluated in it.
        const isReady = () => evaluate("globalThis.ready === true").catch(() => false);
        for (const end = Date.now() + READY_MS; !(await isReady()); await sleep(25)) {
          if (Date.now() > end) throw new Error(`${url}: not ready after ${READY_MS / 1000} s`);
        }
        if (!(await evaluate("crossOriginIsolated"))) throw new Error(`${url}: the page is not cross-origin isolated`);
        const patience = new Promise((_, fail) => {
          setTimeout(fail, patienceMs, new Error(`no answer in ${patienceMs / 1000} s`)).unref();
        });
        return await Promise.race([evaluate(`(${script})(${JSON.stringify(argument)})`), patience]);
      } finally {
        await protocol.send("Target.disposeBrowserContext", { browserContextId }).catch(() => {});
      }
    },
    async close() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      if (child.exitCode === null && child.signalCode === null) {
        // It ends its helpers itself; one that does not is ended.
        await Promise.race([protocol.send("Browser.close").then(() => ended, () => {}), sleep(5000, undefined, { ref: false })]);
        child.kill("SIGKILL");
        await ended;
      }
      // Helpers may still be writing for a moment.
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}

/** Messages to the browser and their answers. */
class Protocol {
  #to;
  #waiting = new Map();
  #last = 0;

  constructor(child) {
    this.#to = child.stdio[3];
    let rest = "";
    child.stdio[4].setEncoding("utf8").on("data", (text) => {
      const messages = (rest + text).split("\0");
      rest = messages.pop();
      for (const message of messages) this.#take(JSON.parse(message));
    });
    const fail = (why) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(why));
      this.#waiting.clear();
    };
    child.once("error", (error) => fail(`the browser did not start: ${error.message}`));
    child.once("exit", () => fail("the browser has ended"));
    // Whoever waits is told by the events above.
    this.#to.on("error", () => {});
  }

  #take({ id, result, error }) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error.message));
  }

  send(method, params = {}, sessionId = undefined) {
    const id = ++this.#last;
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#to.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return answer;
  }

  async evaluate(sessionId, expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true }, sessionId);
    if (exceptionDetails === undefined) return result.value;
    throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  }
}
