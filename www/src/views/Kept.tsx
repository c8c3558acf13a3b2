import { useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { discard, kept, type KeptModel, lookUp, persist, persistent, storage } from "../state/cached";
import { chosen, forgetFile, lastPart } from "../state/model";
import { view } from "../state/presets";
import { ago, bytes } from "../words/format";
import { KeptDocuments } from "./KeptDocuments";

/** The models that are kept on this machine. */
export function Kept(): VNode {
  const now = view.value;
  useEffect(() => {
    if (now === "models") void lookUp();
  }, [now]);
  return (
    <section class="card" aria-labelledby="kept-title">
      <h3 id="kept-title">Kept on this machine</h3>
      <KeptList models={kept.value ?? []} />
      <KeptDocuments />
    </section>
  );
}

function KeptList({ models }: { readonly models: readonly KeptModel[] }): VNode {
  const asked = useSignal<KeptModel | undefined>(undefined);
  return (
    <>
      {models.length === 0 ? (
        <p class="note">Nothing yet. A model that was fetched once stays, and works without a network.</p>
      ) : (
        <ul class="kept">
          {models.map((file) => (
            <KeptLine key={file.url} file={file} onDelete={() => (asked.value = file)} />
          ))}
        </ul>
      )}
      <StorageLine />
      <DeleteDialog file={asked.value} close={() => (asked.value = undefined)} />
    </>
  );
}

function nameOf(url: string): string {
  return decodeURIComponent(lastPart(url));
}

function KeptLine({ file, onDelete }: { readonly file: KeptModel; readonly onDelete: () => void }): VNode {
  const { url, bytes: size, complete, stored, lastUsed } = file;
  const use = (): void => {
    if (url.endsWith("/")) {
      chosen.search.value = "meaning";
      chosen.embedderFiles.value = undefined;
      chosen.embedder.value = url;
      document.getElementById("search")?.focus();
      return;
    }
    forgetFile();
    chosen.url.value = url;
    document.getElementById("load")?.focus();
  };
  return (
    <li>
      <div class="kept-name">
        <strong>{nameOf(url)}</strong>
        <span class="note">{url}</span>
      </div>
      <div class="kept-size">
        {complete ? (
          <span>{bytes(size)}</span>
        ) : (
          <>
            <span>
              {bytes(stored)} of {bytes(size)}
            </span>
            <progress aria-label={`How much of ${nameOf(url)} is here`} max={size} value={stored} />
          </>
        )}
        <span class="note">used {ago(lastUsed)}</span>
      </div>
      <div class="kept-actions">
        <button type="button" class="small" onClick={use} aria-label={`Choose ${nameOf(url)}`}>
          Choose
        </button>
        <button type="button" class="small" onClick={onDelete} aria-label={`Delete ${nameOf(url)}`}>
          Delete
        </button>
      </div>
    </li>
  );
}

function StorageLine(): VNode | null {
  const now = storage.value;
  if (now === undefined) return null;
  return (
    <div class="row storage">
      <p>
        <meter aria-label="Storage in use" min={0} max={now.quota} value={now.usage} />
        <span class="note">
          {bytes(now.usage)} of the {bytes(now.quota)} that the browser allows
        </span>
      </p>
      {persistent.value ? (
        <span class="note end">The browser will not clear it by itself.</span>
      ) : (
        <button type="button" class="link end" onClick={() => void persist()}>
          Keep it even when the disk fills up
        </button>
      )}
    </div>
  );
}

function DeleteDialog({ file, close }: { readonly file: KeptModel | undefined; readonly close: () => void }): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (file !== undefined) dialog.current?.showModal();
  }, [file]);
  return (
    <dialog ref={dialog} aria-labelledby="delete-title" onClose={close}>
      {file !== undefined && (
        <form
          method="dialog"
          onSubmit={(event) => {
            if (event.submitter instanceof HTMLButtonElement && event.submitter.value === "delete") void discard(file);
          }}
        >
          <h3 id="delete-title">Delete {nameOf(file.url)}?</h3>
          <p>It frees {bytes(file.stored)}, and has to be fetched again to be used again.</p>
          <div class="actions">
            <button type="submit" value="cancel">
              Keep it
            </button>
            <button type="submit" value="delete" class="primary">
              Delete it
            </button>
          </div>
        </form>
      )}
    </dialog>
  );
}
