import { useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect } from "preact/hooks";

import { addFiles, addText } from "../state/documents";
import { isEmbedderFile } from "../state/embedder_files";
import { chooseEmbedder, takeFile } from "../state/model";
import { view } from "../state/presets";
import { fail, settle } from "../state/work";
import { PageError } from "../words/failures";

/** Files of models are taken as such, everything else is a document. */
function take(files: readonly File[]): void {
  const models = files.filter(({ name }) => /\.gguf$/i.test(name));
  const [model, ...others] = models;
  if (model !== undefined) {
    settle("models");
    void takeFile(model);
  }
  const embedder = files.some(({ name }) => name.endsWith(".safetensors")) ? files.filter(isEmbedderFile) : [];
  if (embedder.length > 0) {
    location.hash = "#models";
    chooseEmbedder(embedder);
  }
  for (const { name } of others) fail(new PageError("ERR_ONE_MODEL", name), "models");
  const documents = files.filter((file) => !models.includes(file) && !embedder.includes(file));
  if (documents.length === 0) return;
  location.hash = "#ask";
  void addFiles(documents);
}

function carriesFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

/** Whether the keyboard belongs to a field. */
function inField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("input, textarea, select, dialog") !== null;
}

/** Files may be dropped anywhere, and files and texts pasted wherever no field takes them. */
export function DropTarget(): VNode {
  const over = useSignal(false);
  useEffect(() => {
    const listening = new AbortController();
    const { signal } = listening;
    const dragOver = (event: DragEvent): void => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      over.value = true;
    };
    const dragLeave = (event: DragEvent): void => {
      if (event.relatedTarget === null) over.value = false;
    };
    const drop = (event: DragEvent): void => {
      over.value = false;
      if (!carriesFiles(event)) return;
      event.preventDefault();
      take([...(event.dataTransfer?.files ?? [])]);
    };
    const paste = (event: ClipboardEvent): void => {
      if (inField(event.target) || event.clipboardData === null) return;
      const files = [...event.clipboardData.files];
      if (files.length === 0 && view.value !== "ask") return;
      const text = event.clipboardData.getData("text/plain");
      if (files.length > 0) take(files);
      else if (text !== "") addText(text);
      else return;
      event.preventDefault();
    };
    window.addEventListener("dragover", dragOver, { signal });
    window.addEventListener("dragleave", dragLeave, { signal });
    window.addEventListener("drop", drop, { signal });
    window.addEventListener("paste", paste, { signal });
    return () => {
      listening.abort();
    };
  }, [over]);
  return (
    <div id="drop" hidden={!over.value}>
      <p>
        Drop documents to ask them,
        <br />
        or the files of a model to use it.
      </p>
    </div>
  );
}
