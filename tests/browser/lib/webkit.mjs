// WebKitGTK through its own WebDriver (Debian: webkit2gtk-driver), spoken to directly: the few commands that a smoke test needs.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const DRIVER = process.env.WEBKIT_DRIVER ?? "/usr/bin/WebKitWebDriver";
const XVFB = "/usr/bin/Xvfb";

/** The key under which WebDriver names an element. */
const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

/** Why it cannot be opened here; `undefined` where it can. */
export function webkitMissing() {
  if (!existsSync(DRIVER)) return `there is no ${DRIVER} (Debian: apt-get install webkit2gtk-driver)`;
  const display = process.env.DISPLAY ?? process.env.WAYLAND_DISPLAY;
  if (display === undefined && !existsSync(XVFB)) return "there is no display, and no Xvfb to make one (Debian: apt-get install xvfb)";
  return undefined;
}

/** Starts WebKit; the verbs are those of the other browsers. */
export async function openWebKit() {
  const display = await openDisplay();
  const port = await freePort();
  const env = { ...process.env, ...display.env, LIBGL_ALWAYS_SOFTWARE: "1", WEBKIT_DISABLE_COMPOSITING_MODE: "1" };
  const driver = spawn(DRIVER, [`--port=${port}`], { env, stdio: "ignore" });
  const end = () => {
    driver.kill();
    display.close();
  };
  try {
    const base = `http://127.0.0.1:${port}`;
    const { sessionId } = await patiently(() => command("POST", `${base}/session`, { capabilities: { alwaysMatch: {} } }), 30_000);
    return page(`${base}/session/${sessionId}`, end);
  } catch (error) {
    end();
    throw error;
  }
}

function page(session, end) {
  const evaluate = (script, argument) =>
    command("POST", `${session}/execute/sync`, { script: `return (${script})(arguments[0])`, args: argument === undefined ? [] : [argument] });
  const find = async (selector) => (await command("POST", `${session}/element`, { using: "css selector", value: selector }))[ELEMENT];
  return {
    evaluate,
    goto: (url) => command("POST", `${session}/url`, { url }),
    click: async (selector) => command("POST", `${session}/element/${await find(selector)}/click`, {}),
    async fill(selector, text) {
      const element = await find(selector);
      await command("POST", `${session}/element/${element}/clear`, {});
      await command("POST", `${session}/element/${element}/value`, { text });
    },
    // Its driver does not choose options of a list that is not open: the same events as a person's choice.
    select: (selector, value) =>
      evaluate(
        ({ selector, value }) => {
          const list = document.querySelector(selector);
          list.value = value;
          list.dispatchEvent(new Event("change", { bubbles: true }));
        },
        { selector, value },
      ),
    async waitFor(what, script, argument, patience = 60_000) {
      const last = Date.now() + patience;
      while (!(await evaluate(script, argument))) {
        if (Date.now() > last) throw new Error(`waited ${patience / 1000} s for ${what}`);
        await sleep(50);
      }
    },
    async close() {
      await command("DELETE", session).catch(() => {});
      end();
    },
  };
}

async function command(method, url, body) {
  const response = await fetch(url, { method, body: body === undefined ? undefined : JSON.stringify(body) });
  const { value } = await response.json();
  if (!response.ok) throw new Error(`WebKit: ${value.error}: ${value.message}`);
  return value;
}

/** A display, where there is none. */
async function openDisplay() {
  if (process.env.DISPLAY !== undefined || process.env.WAYLAND_DISPLAY !== undefined) return { env: {}, close() {} };
  // It takes the first free number, and writes it down once it is ready.
  const server = spawn(XVFB, ["-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"], { stdio: ["ignore", "pipe", "ignore"] });
  const number = await new Promise((resolve, reject) => {
    server.stdout.once("data", (data) => resolve(data.toString().trim()));
    server.once("exit", (code) => reject(new Error(`Xvfb ended with ${code}`)));
  });
  return { env: { DISPLAY: `:${number}` }, close: () => server.kill() };
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Tries until it works. */
async function patiently(attempt, patience) {
  const last = Date.now() + patience;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > last) throw error;
      await sleep(100);
    }
  }
}
