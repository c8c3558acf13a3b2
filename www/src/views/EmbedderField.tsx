import type { VNode } from "preact";

import { chooseEmbedder, chosen, lastPart, loadedEmbedder } from "../state/model";
import { busy } from "../state/work";
import { millions } from "../words/format";
import { Address } from "./Form";

/** The model that finds passages: by address, or from this machine. */
export function EmbedderField(): VNode {
  const local = chosen.embedderFiles.value;
  return (
    <>
      <Address
        id="embedder-url"
        label="Address of an embedding model: a GGUF file, or a folder that ends with a slash"
        hint={hint()}
        value={chosen.embedder}
        disabled={local !== undefined}
      />
      <p class="pick">
        <Pick id="embedder-folder" words="Choose a folder" input={{ webkitdirectory: true }} />
        <Pick id="embedder-files" words="Choose files" input={{ accept: ".safetensors,.json,.gguf" }} />
        {local === undefined ? (
          <span class="note">or drop its files on this page</span>
        ) : (
          <>
            <span id="embedder-name">{local.name}</span>
            <button id="forget-embedder" type="button" class="link" onClick={() => (chosen.embedderFiles.value = undefined)}>
              use the address instead
            </button>
          </>
        )}
      </p>
      <p class="note">
        From this machine it takes model.safetensors, config.json and tokenizer.json. With its folder come its other settings too, such as how
        the vectors of words become one.
      </p>
    </>
  );
}

function hint(): string {
  const now = loadedEmbedder.value;
  // Its own name for itself is often that of the model it was made from.
  if (now !== undefined) {
    const { parameters, backend } = now.model.info;
    return `${lastPart(now.key)} is loaded: ${millions(parameters)} parameters, on the ${backend.kind.toUpperCase()}.`;
  }
  return chosen.embedderFiles.value === undefined
    ? "It is fetched with the first question, and kept."
    : "It is read from this machine with the first question.";
}

interface PickProps {
  readonly id: string;
  readonly words: string;
  readonly input: { readonly webkitdirectory?: boolean; readonly accept?: string };
}

function Pick({ id, words, input }: PickProps): VNode {
  const choose = ({ currentTarget }: Event & { readonly currentTarget: HTMLInputElement }): void => {
    const files = [...(currentTarget.files ?? [])];
    // The same ones may be chosen again, once what was missing is there.
    currentTarget.value = "";
    if (files.length > 0) chooseEmbedder(files);
  };
  return (
    <label class="button">
      <input id={id} class="unseen" type="file" multiple aria-label={`${words} of an embedding model`} {...input} disabled={busy.value} onChange={choose} />
      {words}
    </label>
  );
}
