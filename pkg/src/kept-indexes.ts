// The vectors of long documents in the origin's private files (OPFS), one file each, named after the embedder and the sentences that
// they are of. The core has a checksum in them: a file that was left half written is refused when it is read.

import { RushlightError } from "./errors.js";

const FOLDERS = ["rushlight", "indexes"];

/** Most bytes of all files together; those used longest ago go first. */
export const LIMIT_BYTES = 256 * 2 ** 20;

/** The digits are those of the embedder, and of the sentences. */
const NAME = /^[0-9a-f]{16}-[0-9a-f]{16}\.rlix$/;

/** Of what a write that was cut off has left; younger ones may be of another tab. */
const GIVEN_UP_MS = 3600_000;

/** Uses closer than this are one: each writes the file again, since only that moves its time. */
const USE_INTERVAL_MS = 3600_000;

/** Bytes before the title: see `src/tasks/ask/index.rs` of the core. */
const HEADER_BYTES = 40;
const MAGIC = "RLIX";
const VERSION = 1;

/** What is kept of a document: the vectors of its sentences. */
export interface KeptIndex {
  /** For `delete`. */
  readonly name: string;
  /** What the document was called. */
  readonly title: string;
  /** Bytes of the file. */
  readonly bytes: number;
  /** Sentences of the document. */
  readonly sentences: number;
  /** Those whose vectors are there. */
  readonly done: number;
  /** Milliseconds since the epoch, to the hour. */
  readonly lastUsed: number;
}

/** What the browser keeps of long documents for this page's origin. */
export interface Indexes {
  /** All of it, what was used last first. Empty where the browser keeps nothing. */
  list(): Promise<KeptIndex[]>;
  /** Removes what is kept of a document; `false` where there is nothing. A model that has it open goes on working. */
  delete(name: string): Promise<boolean>;
}

/** What only workers have, and only on files of OPFS. */
interface SyncFile extends FileSystemFileHandle {
  createSyncAccessHandle(): Promise<{ truncate(size: number): void; write(bytes: Uint8Array): number; flush(): void; close(): void }>;
}

/** A file of the folder. */
interface Entry {
  readonly name: string;
  readonly file: File;
}

/** The name of a file. */
export function indexName(embedder: string, key: string): string {
  return `${embedder}-${key}.rlix`;
}

/** The file of this name, if there is one, and when it was written. */
export async function readIndex(root: FileSystemDirectoryHandle, name: string): Promise<{ bytes: Uint8Array; stale: boolean } | undefined> {
  try {
    const file = await (await (await folder(root)).getFileHandle(name)).getFile();
    return { bytes: new Uint8Array(await file.arrayBuffer()), stale: Date.now() - file.lastModified > USE_INTERVAL_MS };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Writes a file in place of the one that is there, and makes room for it. */
export async function writeIndex(root: FileSystemDirectoryHandle, name: string, bytes: Uint8Array): Promise<void> {
  if (bytes.length > LIMIT_BYTES) return;
  const directory = await folder(root);
  await makeRoom(directory, name, bytes.length);
  const handle = await directory.getFileHandle(name, { create: true });
  const atomic: Partial<Pick<FileSystemFileHandle, "createWritable">> = handle;
  if (atomic.createWritable !== undefined) {
    // Replaces the file when it is closed, or not at all.
    const stream = await handle.createWritable();
    await stream.write(bytes as Uint8Array<ArrayBuffer>);
    await stream.close();
    return;
  }
  const access = await (handle as SyncFile).createSyncAccessHandle();
  try {
    access.truncate(0);
    access.write(bytes);
    access.flush();
  } finally {
    access.close();
  }
}

/** What is kept of long documents. */
export const indexes: Indexes = {
  async list() {
    const directory = await openFolder();
    if (directory === undefined) return [];
    const kept = [];
    for (const { name, file } of await entries(directory)) {
      if (NAME.test(name)) kept.push({ name, ...(await describe(file)), bytes: file.size, lastUsed: file.lastModified });
    }
    return kept.sort((a, b) => b.lastUsed - a.lastUsed);
  },

  async delete(name) {
    const directory = await openFolder();
    if (directory === undefined || !NAME.test(name)) return false;
    try {
      await directory.removeEntry(name);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      const said = error instanceof Error ? `: ${error.message}` : "";
      throw new RushlightError("ERR_STORAGE", `deleting what is kept of a document failed${said}`, { cause: error });
    }
  },
};

/** What a file says of itself; of one that is damaged nothing. */
async function describe(file: File): Promise<Pick<KeptIndex, "title" | "sentences" | "done">> {
  const head = new Uint8Array(await file.slice(0, HEADER_BYTES).arrayBuffer());
  const view = new DataView(head.buffer);
  const known = head.length === HEADER_BYTES && new TextDecoder().decode(head.subarray(0, 4)) === MAGIC && view.getUint32(4, true) === VERSION;
  if (!known) return { title: "", sentences: 0, done: 0 };
  const [sentences, done, , titleBytes] = [24, 28, 32, 36].map((at) => view.getUint32(at, true)) as [number, number, number, number];
  const title = await file.slice(HEADER_BYTES, HEADER_BYTES + Math.min(titleBytes, 1024)).text();
  return { title, sentences, done };
}

/** Removes the files that were used longest ago until there is room for so many bytes under a name, and what cut-off writes left. */
async function makeRoom(directory: FileSystemDirectoryHandle, name: string, bytes: number): Promise<void> {
  const others = (await entries(directory)).filter((entry) => entry.name !== name);
  const left = ({ name, file }: Entry): boolean => !NAME.test(name) && Date.now() - file.lastModified > GIVEN_UP_MS;
  let total = others.reduce((sum, { file }) => sum + file.size, bytes);
  for (const entry of others.sort((a, b) => a.file.lastModified - b.file.lastModified)) {
    if (total <= LIMIT_BYTES && !left(entry)) continue;
    try {
      await directory.removeEntry(entry.name);
      total -= entry.file.size;
    } catch {
      // Another tab has removed it, or is writing it.
    }
  }
}

async function entries(directory: FileSystemDirectoryHandle): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const handle of (directory as unknown as { values(): AsyncIterable<FileSystemHandle> }).values()) {
    if (handle.kind !== "file") continue;
    try {
      found.push({ name: handle.name, file: await (handle as FileSystemFileHandle).getFile() });
    } catch {
      // It has gone meanwhile, or is open in another tab.
    }
  }
  return found;
}

async function openFolder(): Promise<FileSystemDirectoryHandle | undefined> {
  const storage = (globalThis.navigator as { readonly storage?: StorageManager } | undefined)?.storage;
  try {
    const root = await storage?.getDirectory();
    return root === undefined ? undefined : await folder(root);
  } catch {
    return undefined;
  }
}

async function folder(root: FileSystemDirectoryHandle): Promise<FileSystemDirectoryHandle> {
  let folder = root;
  for (const name of FOLDERS) folder = await folder.getDirectoryHandle(name, { create: true });
  return folder;
}

function isMissing(error: unknown): boolean {
  return error instanceof DOMException && error.name === "NotFoundError";
}
