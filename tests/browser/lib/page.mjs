// The demo page as a person uses it: parts, fields, buttons, what it shows.

/** Goes to a part of the page: ask, playground, models, device. */
export async function open(page, part) {
  await page.click(`nav a[href="#${part}"]`);
  await page.waitFor(`the part ${part}`, (part) => !document.getElementById(part).hidden, part);
}

/** Fills in what is given, in whichever part it is, and ends in the playground. */
export async function fillIn(page, { model, backend, kv, context, prompt, maxTokens, temperature }) {
  if ([model, backend, kv, context].some((value) => value !== undefined)) await open(page, "models");
  if (model !== undefined) await page.fill("#model-url", model);
  if (backend !== undefined) await page.select("#backend", backend);
  if (kv !== undefined) await page.select("#kv", kv);
  if (context !== undefined) await page.fill("#context", String(context));
  await open(page, "playground");
  if (prompt !== undefined) await page.fill("#prompt", prompt);
  if (maxTokens !== undefined) await page.fill("#max-tokens", String(maxTokens));
  if (temperature !== undefined) await page.fill("#temperature", String(temperature));
}

/** Presses Load. */
export async function load(page) {
  await open(page, "models");
  await page.click("#load");
}

/** In the page: whether it says that something went wrong. */
export const failed = () => document.querySelector("#failure")?.hidden === false;

/** Everything the page shows. */
export function read(page) {
  return page.evaluate(() => {
    const failure = document.querySelector("#failure");
    return {
      state: document.body.dataset.state,
      status: document.querySelector("#status").textContent,
      progress: document.querySelector("#progress-text").textContent,
      failure: failure.hidden ? null : { code: failure.dataset.code, text: failure.innerText.replace(/\n+×$/, "") },
      tokens: [...document.querySelectorAll("#answer .token")].map((token) => ({
        id: Number(token.dataset.id),
        text: token.textContent,
      })),
      facts: Object.fromEntries(
        [...document.querySelectorAll("[data-fact]")].map((fact) => {
          const number = Number(fact.dataset.value);
          return [fact.dataset.fact, { value: Number.isNaN(number) ? fact.dataset.value : number, text: fact.textContent }];
        }),
      ),
    };
  });
}

/** Presses Generate and waits for the end; `onText` hears the answer as it grows. */
export async function generate(page, { patience = 120_000, onText = () => {} } = {}) {
  await page.click("#generate");
  let shown = 0;
  let last;
  const end = Date.now() + patience;
  for (;;) {
    last = await read(page);
    for (const token of last.tokens.slice(shown)) onText(token.text, token.id);
    shown = last.tokens.length;
    if (last.state === "ready" || last.state === "idle" || last.failure !== null) return last;
    if (Date.now() > end) throw new Error(`no end after ${patience / 1000} s: ${last.status} ${last.progress}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}
