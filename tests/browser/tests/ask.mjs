// Questions about a document in the tab, with Gemma and MiniLM: the same answers as the command line's, each with its place, and an
// abort within 200 ms.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";

import { inRepository, MODEL, minilmFolder, modelFile } from "../lib/paths.mjs";
import { reading, spanReaderFiles } from "../lib/span_reader.mjs";

const { items } = JSON.parse(readFileSync(inRepository("tests/fixtures/qa/qa_dev.json"), "utf8"));
const QUESTIONS = items.filter(({ id }) => /^(manual|release)-/.test(id));
const LIMIT_MS = 200;
/** Scores of two spans that are no decision. */
const NEAR = 0.5;

/** What `rushlight ask` says, natively built: an answer a question. */
function native(context, questions) {
  const target = process.env.CARGO_TARGET_DIR ?? inRepository("target");
  const built = ["release", "debug"].map((profile) => path.join(target, profile, "rushlight")).filter(existsSync);
  // Built last: an older one may answer otherwise.
  const [program] = built.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  if (program === undefined) throw new Error("no rushlight to compare with: cargo build --bin rushlight");
  const args = ["ask", "--json", "--evidence", "--backend", "cpu", "--threads", "1", "--context-file", "-"];
  args.push("--model", modelFile(), "--embedder", minilmFolder(), ...questions.flatMap((question) => ["--question", question]));
  return execFileSync(program, args, { input: context, encoding: "utf8" }).trim().split("\n").map((line) => JSON.parse(line));
}

async function loaded(context, browser) {
  const page = await context.page(browser, "/test/package.html");
  await page.waitFor("the package", () => globalThis.rushlight !== undefined);
  await page.evaluate(async (url) => {
    const { loadModel } = globalThis.rushlight;
    globalThis.model = await loadModel(url, { backend: "cpu" });
    globalThis.embedder = await loadModel("/minilm/", { backend: "cpu" });
  }, `/models/${MODEL}`);
  return page;
}

/** Asks the last `most` questions. */
function asks(browser, most) {
  return {
    name: `ask: ${browser}: the command line's answers to ${most} questions`,
    async run(context) {
      const page = await loaded(context, browser);
      const notes = [];
      let near = 0;
      const asked = QUESTIONS.slice(-most);
      for (const text of new Set(asked.map((item) => item.context))) {
        const questions = asked.filter((item) => item.context === text).map((item) => item.question);
        const expected = native(text, questions);
        const answers = await page.evaluate(
          async ({ text, questions }) => {
            const { model, embedder } = globalThis;
            const all = [];
            for (const question of questions) {
              const stages = [];
              const began = performance.now();
              const answer = await model.ask(question, {
                context: text,
                embedder,
                onStage: ({ stage, done, total }) => stages.push(`${stage} ${done}/${total}`),
              });
              all.push({ answer, stages, ms: performance.now() - began });
            }
            return all;
          },
          { text, questions },
        );
        for (const [index, { answer, stages }] of answers.entries()) {
          // Bytes as activations round differently by instruction set: where two spans are that near, either may win.
          // A full stop at the end is no other answer.
          const bare = ({ text }) => text.replace(/\.$/, "");
          const { evidence } = expected[index];
          const rivals = evidence.filter(({ score }) => evidence[0].score - score < NEAR).map(bare);
          if (rivals.some((rival) => rival !== rivals[0])) {
            assert.ok([...rivals, ""].includes(answer.answer), `${questions[index]} ${answer.answer} ${rivals}`);
            near++;
            continue;
          }
          assert.equal(answer.answer, expected[index].answer, questions[index]);
          assert.ok(Math.abs(answer.confidence - expected[index].confidence) < 0.05, `${answer.confidence} ${expected[index].confidence}`);
          for (const [at, span] of answer.spans.entries()) {
            assert.equal(text.slice(span.start, span.end), span.text);
            assert.equal(span.start, expected[index].spans[at].start_utf16);
          }
          for (const stage of ["cut", "embed", "search", "read", "answer"]) {
            assert.ok(stages.some((said) => said.startsWith(stage)), `${stage} in ${stages}`);
          }
        }
        assert.ok(answers[0].stages.includes("embed 0/6") || answers[0].stages.some((said) => /^embed 0\/[1-9]/.test(said)));
        assert.ok(answers[1].stages.every((said) => !/^embed 0\/[1-9]/.test(said)), "the document's vectors were kept");
        notes.push(...answers.map(({ ms }) => ms));
      }
      notes.sort((a, b) => a - b);
      assert.ok(near < notes.length / 2, `${near} of ${notes.length} are near`);
      return `${notes.length} questions, ${near} of them near, ${(notes[notes.length >> 1] / 1000).toFixed(1)} s each`;
    },
  };
}

const aborts = {
  name: "ask: an abort is heard, bad input has its code, a free answer its support",
  async run(context) {
    const page = await loaded(context, "chromium");
    const text = QUESTIONS[0].context;
    const said = await page.evaluate(async (text) => {
      const { model, embedder } = globalThis;
      const code = (promise) => promise.then(() => "none", (error) => error.code);
      const codes = [
        await code(model.ask(" ", { context: text })),
        await code(model.ask("Who?", { context: " \n" })),
        await code(model.ask("Who?", {})),
        await code(embedder.ask("Who?", { context: text })),
      ];
      const controller = new AbortController();
      let aborted = 0;
      const stopped = await code(
        model.ask("What does a blinking red light mean?", {
          context: text,
          signal: controller.signal,
          onStage({ stage }) {
            if (stage !== "read" || aborted > 0) return;
            setTimeout(() => {
              aborted = performance.now();
              controller.abort();
            }, 300);
          },
        }),
      );
      await model.memory();
      const late = performance.now() - aborted;
      let written = "";
      const free = await model.ask("What does a blinking red light mean?", {
        context: text,
        mode: "free",
        onPiece: (piece) => (written += piece.text),
      });
      return { codes, stopped, late, free, written };
    }, text);
    assert.deepEqual(said.codes, ["ERR_EMPTY_QUESTION", "ERR_EMPTY_DOCUMENT", "ERR_BAD_ARGUMENT", "ERR_UNSUPPORTED_MODEL"]);
    assert.equal(said.stopped, "ERR_ABORTED");
    assert.ok(said.late < LIMIT_MS, `heard after ${said.late} ms`);
    assert.equal(said.free.answer, said.written.trim());
    assert.ok(said.free.spans.length > 0 && said.free.spans.every((span) => text.slice(span.start, span.end) === span.text));
    return `heard after ${said.late.toFixed(0)} ms; "${said.free.answer}"`;
  },
};

function marks(browser, backend) {
  return {
    name: `ask: ${browser} ${backend}: a model with an extractive head marks its answers`,
    async run(context) {
      const page = await context.page(browser, "/test/package.html");
      await page.waitFor("the package", () => globalThis.rushlight !== undefined);
      const { text } = reading;
      const questions = reading.items.map(({ question }) => question);
      const { answers, codes } = await page.evaluate(
        async ({ files, text, questions, backend }) => {
          const bytes = Uint8Array.from(atob(files.model), (letter) => letter.charCodeAt(0));
          const from = { model: new Blob([bytes]), config: new Blob([files.config]), tokenizer: new Blob([files.tokenizer]) };
          const model = await globalThis.rushlight.loadModel(from, { backend });
          const answers = [];
          for (const question of questions) answers.push(await model.ask(question, { context: text }));
          const code = (promise) => promise.then(() => "none", (error) => error.code);
          const codes = [
            await code(model.ask("Who?", { context: text, mode: "free" })),
            await code(model.embed(["a"])),
            await code(model.generate("a")[Symbol.asyncIterator]().next()),
          ];
          model.dispose();
          return { answers, codes };
        },
        { files: spanReaderFiles(), text, questions, backend },
      );
      assert.deepEqual(codes, ["ERR_BAD_ARGUMENT", "ERR_UNSUPPORTED_MODEL", "ERR_UNSUPPORTED_MODEL"]);
      for (const [index, { spans, alternatives, nullScore }] of answers.entries()) {
        const { spans: expected, null_score: none } = reading.items[index];
        assert.ok(Math.abs(nullScore - none) < 1e-5);
        for (const [at, span] of [...spans, ...alternatives].slice(0, expected.length).entries()) {
          const { start, end, score } = expected[at];
          assert.deepEqual([span.start, span.end, text.slice(span.start, span.end)], [start, end, span.text]);
          assert.ok(Math.abs(span.confidence - score) < 1e-5);
        }
      }
    },
  };
}

export default [asks("chromium", QUESTIONS.length), asks("firefox", 4), aborts, marks("chromium", "cpu"), marks("firefox", "gpu")];
