import type { VNode } from "preact";

import { WRITERS } from "../state/catalogue";
import { chosen, forgetFile, loadChosen, loaded, takeFile } from "../state/model";
import { makePlan } from "../state/planned";
import { busy } from "../state/work";
import { bytes } from "../words/format";
import { EmbedderField } from "./EmbedderField";
import { Address, Choice, Send, sends, Whole } from "./Form";
import { Kept } from "./Kept";
import { PlanFacts } from "./PlanFacts";

const BACKENDS = { auto: "Automatic", gpu: "GPU (WebGPU)", cpu: "CPU (WebAssembly)" };
const KV_FORMATS = { f16: "16 bits", f32: "32 bits" };
const SEARCHES = { meaning: "what they mean", words: "words of the question" };

/** Which model: by address or file; what of it is kept on this machine. */
export function Models(): VNode {
  return (
    <>
      <div class="lead">
        <h2 id="models-title" tabindex={-1}>Models</h2>
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
  return (
    <form class="card" onSubmit={sends(loadChosen)} aria-labelledby="load-title">
      <h3 id="load-title">The model that writes</h3>
      <Address
        id="model-url"
        label="Address of a GGUF file"
        hint="Of this site, or of any other one that starts with https:// and lets pages read its files."
        value={chosen.url}
        disabled={chosen.file.value !== undefined}
      />
      <Known />
      <FileField />
      <div class="row settings">
        <Choice id="backend" label="Run on" value={chosen.backend} options={BACKENDS} />
        <Choice id="kv" label="KV cache" value={chosen.kv} options={KV_FORMATS} />
        <Whole
          id="context"
          label="Context, in tokens"
          value={chosen.context.value}
          set={(value) => (chosen.context.value = value)}
          input={{ min: "1", placeholder: "automatic" }}
        />
      </div>
      <div class="row">
        <p class="note">
          Gemma is provided under and subject to the{" "}
          <a href="https://ai.google.dev/gemma/terms" rel="noreferrer">
            Gemma Terms of Use
          </a>
          , SmolLM2 under the Apache License 2.0.
        </p>
        <button id="plan" type="button" class="end" disabled={busy.value} onClick={() => void makePlan()}>
          Check first
        </button>
        <Send id="load" end={false}>
          {loaded.value === undefined ? "Load" : "Load again"}
        </Send>
      </div>
      <PlanFacts />
    </form>
  );
}

/** The models that lie beside the page. */
function Known(): VNode {
  return (
    <ul class="suggestions" aria-label="Models to start with">
      {WRITERS.map(({ url, name, bytes: size, use }) => (
        <li key={url}>
          <button
            type="button"
            class="chip"
            aria-pressed={chosen.file.value === undefined && chosen.url.value === url}
            onClick={() => {
              forgetFile();
              chosen.url.value = url;
            }}
          >
            {name}: {use} · {bytes(size)}
          </button>
        </li>
      ))}
    </ul>
  );
}

function FileField(): VNode {
  const file = chosen.file.value;
  const choose = (event: Event & { readonly currentTarget: HTMLInputElement }): void => {
    const [file] = event.currentTarget.files ?? [];
    if (file !== undefined) void takeFile(file);
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
          <button id="forget-file" type="button" class="link" onClick={forgetFile}>
            use the address instead
          </button>
        </>
      )}
    </p>
  );
}

/** How passages are found, and with which model. */
function SearchCard(): VNode {
  return (
    <section class="card" aria-labelledby="search-title">
      <h3 id="search-title">Finding passages</h3>
      <p class="note">
        Of long documents only the passages that fit the question are read. Finding them by what they mean works better, and takes a second,
        small model.
      </p>
      <Choice id="search" label="Find them by" value={chosen.search} options={SEARCHES} />
      {chosen.search.value === "meaning" && <EmbedderField />}
    </section>
  );
}
