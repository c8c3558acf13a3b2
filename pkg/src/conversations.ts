// Conversations in the origin's private files (OPFS), one file each. One that was left half written is never taken for a whole one: a
// file is replaced when all of the new one is there, and where a browser can't do that the core's checksum tells.

import { messageOf, RushlightError } from "./errors.js";
import { originFolder } from "./store/files.js";

const FOLDERS = ["rushlight", "conversations"];

/** Bytes that file systems allow for a name, less an ending. */
const LONGEST_NAME = 240;

const ENDING = ".kv";
/** Of a file that is being written; it is renamed when it is whole. */
const UNFINISHED = ".new";

/** What only workers have, and only on files of OPFS; `move` renames, in place of what has that name. */
interface SyncFile extends FileSystemFileHandle {
  createSyncAccessHandle(): Promise<{ truncate(size: number): void; write(bytes: Uint8Array): number; flush(): void; close(): void }>;
  move?(name: string): Promise<void>;
}

/** A conversation that is kept. */
export interface SavedConversation {
  readonly name: string;
  /** Bytes of its file. */
  readonly bytes: number;
  /** When it was saved, in milliseconds since the epoch. */
  readonly saved: number;
}

/** The conversations that `Model.save` kept, of all models. */
export interface Conversations {
  /** All of them, the one that was saved last first. Empty where the browser keeps none. */
  list(): Promise<SavedConversation[]>;
  /** Removes one; `false` where there is none of this name. */
  delete(name: string): Promise<boolean>;
}

/** Refuses a name that no file could have. */
export function checkName(name: string): string {
  try {
    if (typeof name === "string" && name !== "" && fileName(name).length <= LONGEST_NAME) return name;
  } catch {
    // Half a surrogate pair has no encoding.
  }
  throw new RushlightError("ERR_BAD_ARGUMENT", `name: expected a text of 1 to ${LONGEST_NAME} characters, got ${JSON.stringify(name)}`);
}

/** Any text as a name that every file system takes. */
function fileName(name: string): string {
  return `${encodeURIComponent(name).replace(/[*!'()~.]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)}${ENDING}`;
}

/** The name of a conversation, from that of its file; `undefined` for other files. */
function nameOf(file: string): string | undefined {
  if (!file.endsWith(ENDING)) return undefined;
  try {
    return decodeURIComponent(file.slice(0, -ENDING.length));
  } catch {
    return undefined;
  }
}

/** The conversations of this origin. */
export const conversations: Conversations = {
  async list() {
    const root = await originFolder();
    if (root === undefined) return [];
    return await guarded("listing the conversations", async () => {
      const all = await folder(root);
      const found: SavedConversation[] = [];
      for await (const file of (all as unknown as { keys(): AsyncIterable<string> }).keys()) {
        const name = nameOf(file);
        if (name === undefined) continue;
        const { size, lastModified } = await (await all.getFileHandle(file)).getFile();
        // What was made and never filled is none.
        if (size > 0) found.push({ name, bytes: size, saved: lastModified });
      }
      return found.sort((a, b) => b.saved - a.saved);
    });
  },

  async delete(name) {
    const file = fileName(checkName(name));
    const root = await originFolder();
    if (root === undefined) return false;
    return await guarded("deleting the conversation", async () => {
      const all = await folder(root);
      return await unlessMissing(all.removeEntry(file).then(() => true), false);
    });
  },
};

/** Keeps a conversation. */
export async function writeConversation(root: FileSystemDirectoryHandle, name: string, bytes: Uint8Array): Promise<void> {
  await guarded("saving the conversation", async () => {
    const [all, to] = [await folder(root), fileName(name)];
    const file = (await all.getFileHandle(to, { create: true })) as SyncFile;
    const atomic: Partial<Pick<FileSystemFileHandle, "createWritable">> = file;
    if (atomic.createWritable !== undefined) {
      // Replaces the file when it is closed, or not at all.
      const stream = await file.createWritable();
      await stream.write(bytes as Uint8Array<ArrayBuffer>);
      await stream.close();
    } else if (file.move === undefined) {
      await writeAll(file, bytes);
    } else {
      const unfinished = (await all.getFileHandle(to + UNFINISHED, { create: true })) as SyncFile;
      await writeAll(unfinished, bytes);
      try {
        await unfinished.move?.(to);
      } catch {
        // Not every browser puts a file in the place of another.
        await all.removeEntry(to);
        await unfinished.move?.(to);
      }
    }
  });
}

async function writeAll(file: SyncFile, bytes: Uint8Array): Promise<void> {
  const handle = await file.createSyncAccessHandle();
  try {
    handle.truncate(0);
    const written = handle.write(bytes);
    // A disk that is full may take a part and say nothing more.
    if (written < bytes.length) {
      handle.truncate(0);
      throw new DOMException(`${written} of ${bytes.length} bytes were written`, "QuotaExceededError");
    }
    handle.flush();
  } finally {
    handle.close();
  }
}

/** The conversation of this name, if there is one. */
export async function readConversation(root: FileSystemDirectoryHandle, name: string): Promise<Uint8Array | undefined> {
  return await guarded("reading the conversation", async () => {
    const file = await unlessMissing((await folder(root)).getFileHandle(fileName(name)), undefined);
    const bytes = await (await file?.getFile())?.arrayBuffer();
    // What was made and never filled is none.
    return bytes === undefined || bytes.byteLength === 0 ? undefined : new Uint8Array(bytes);
  });
}

async function unlessMissing<T>(work: Promise<T>, otherwise: T): Promise<T>;
async function unlessMissing<T>(work: Promise<T>, otherwise: undefined): Promise<T | undefined>;
async function unlessMissing<T>(work: Promise<T>, otherwise: T | undefined): Promise<T | undefined> {
  return await work.catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "NotFoundError") return otherwise;
    throw error;
  });
}

async function folder(root: FileSystemDirectoryHandle): Promise<FileSystemDirectoryHandle> {
  let folder = root;
  for (const name of FOLDERS) folder = await folder.getDirectoryHandle(name, { create: true });
  return folder;
}

/** What the browser says when its storage fails, as one of our errors. */
export async function guarded<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof RushlightError) throw cause;
    const full = cause instanceof DOMException && cause.name === "QuotaExceededError";
    throw new RushlightError(full ? "ERR_QUOTA" : "ERR_STORAGE", `${what} failed: ${messageOf(cause)}`, { cause });
  }
}
