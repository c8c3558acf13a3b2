import type { VNode } from "preact";

import type { BackendChoice, KvFormat } from "../engine";
import { chosen, loadChosen, loaded, loadedEmbedder } from "../state/model";
import { makePlan } from "../state/planned";
import { busy } from "../state/work";
import { millions } from "../words/format";
import { Kept } from "./Kept";
import { PlanFacts } from "./PlanFacts";

/** Which model: by address or file; what of it is kept on this machine. */
export function Models(): VNode {
  return (
    <>
      <div class="lead">
        <h2 id="models-title">Models</h2>
        <p>Any GGUF file as it is published, from its address or from this machine.</p>
      </div>
      <div class="narrow">
        <LoadForm />
        <SearchCard />
        <Kept />
      </div>
    </>
  );
}

function LoadForm(): VNode {
  const submit = (event: Event): void => {
    event.preventDefault();
    void loadChosen();
  };
  return (
    <form class="card" onSubmit={submit} aria-labelledby="load-title">
      <h3 id="load-title">The model that writes</h3>
      <AddressField />
      <FileField />
      <div class="row settings">
        <BackendField />
        <KvField />
        <ContextField />
      </div>
      <div class="row">
        <p class="note">
          Gemma is provided under and subject to the{" "}
          <a href="https://ai.google.dev/gemma/terms" rel="noreferrer">
            Gemma Terms of Use
          </a>
          .
        </p>
        <button id="plan" type="button" class="end" disabled={busy.value} onClick={() => void makePlan()}>
          Check first
        </button>
        <button id="load" type="submit" class="primary" disabled={busy.value}>
          {loaded.value === undefined ? "Load" : "Load again"}
        </button>
      </div>
      <PlanFacts />
    </form>
  );
}

function AddressField(): VNode {
  return (
    <div class="field">
      <label for="model-url">Address of a GGUF file</label>
      <input
        id="model-url"
        type="text"
        inputMode="url"
        spellcheck={false}
        autocomplete="off"
        aria-describedby="model-hint"
        value={chosen.url.value}
        disabled={chosen.file.value !== undefined}
        onInput={(event) => (chosen.url.value = event.currentTarget.value)}
      />
      <p id="model-hint" class="note">
        Of this site, or of any other one that starts with https:// and lets pages read its files.
      </p>
    </div>
  );
}

function FileField(): VNode {
  const file = chosen.file.value;
  const choose = (event: Event & { readonly currentTarget: HTMLInputElement }): void => {
    chosen.file.value = event.currentTarget.files?.[0];
    if (chosen.file.value !== undefined) void loadChosen();
  };
  return (
    <p class="pick">
      <label class="button">
        <input id="model-file" class="unseen" type="file" accept=".gguf" disabled={busy.value} onChange={choose} />
        {file === undefined ? "Choose a file" : "Choose another file"}
      </label>
      {file === undefined ? (
        <span class="note">or drop one on this page</span>
      ) : (
        <>
          <span>{file.name}</span>
          <button id="forget-file" type="button" class="link" onClick={() => (chosen.file.value = undefined)}>
            use the address instead
          </button>
        </>
      )}
    </p>
  );
}

function BackendField(): VNode {
  return (
    <div class="field">
      <label for="backend">Run on</label>
      <select id="backend" value={chosen.backend.value} onChange={(event) => (chosen.backend.value = event.currentTarget.value as BackendChoice)}>
        <option value="auto">Automatic</option>
        <option value="gpu">GPU (WebGPU)</option>
        <option value="cpu">CPU (WebAssembly)</option>
      </select>
    </div>
  );
}

function KvField(): VNode {
  return (
    <div class="field">
      <label for="kv">KV cache</label>
      <select id="kv" value={chosen.kv.value} onChange={(event) => (chosen.kv.value = event.currentTarget.value as KvFormat)}>
        <option value="f16">16 bits</option>
        <option value="f32">32 bits</option>
      </select>
    </div>
  );
}

function ContextField(): VNode {
  return (
    <div class="field">
      <label for="context">Context, in tokens</label>
      <input
        id="context"
        type="number"
        min="1"
        step="1"
        placeholder="automatic"
        value={chosen.context.value}
        onInput={(event) => (chosen.context.value = event.currentTarget.value)}
      />
    </div>
  );
}

/** How passages are found, and with which model. */
function SearchCard(): VNode {
  return (
    <section class="card" aria-labelledby="search-title">
      <h3 id="search-title">Finding passages</h3>
      <p class="note">
        Of long documents only the passages that fit the question are read. What they mean is the better guide, and takes a second, small model.
      </p>
      <div class="field">
        <label for="search">Find them by</label>
        <select id="search" value={chosen.search.value} onChange={(event) => (chosen.search.value = event.currentTarget.value as "meaning" | "words")}>
          <option value="meaning">what they mean</option>
          <option value="words">words of the question</option>
        </select>
      </div>
      {chosen.search.value === "meaning" && <EmbedderField />}
    </section>
  );
}

function EmbedderField(): VNode {
  const info = loadedEmbedder.value?.model.info;
  return (
    <>
      <div class="field">
        <label for="embedder-url">Address of an embedding model: a GGUF file, or a folder that ends with a slash</label>
        <input
          id="embedder-url"
          type="text"
          inputMode="url"
          spellcheck={false}
          autocomplete="off"
          aria-describedby="embedder-hint"
          value={chosen.embedder.value}
          onInput={(event) => (chosen.embedder.value = event.currentTarget.value)}
        />
      </div>
      <p id="embedder-hint" class="note">
        {info === undefined
          ? "It is fetched with the first question, and kept."
          : `${info.name} is loaded: ${millions(info.parameters)} parameters, on the ${info.backend.kind.toUpperCase()}.`}
      </p>
    </>
  );
}
