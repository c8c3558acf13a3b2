// Conversations in the origin's private files (OPFS), one file each. The core has a checksum in them: a file that was left half
// written by a browser without atomic writes is refused when it is read.

import { RushlightError } from "./errors.js";

const FOLDERS = ["rushlight", "conversations"];

/** Bytes that file systems allow for a name, less an ending. */
const LONGEST_NAME = 240;

/** What only workers have, and only on files of OPFS. */
interface SyncFile extends FileSystemFileHandle {
  createSyncAccessHandle(): Promise<{ truncate(size: number): void; write(bytes: Uint8Array): number; flush(): void; close(): void }>;
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
  return `${encodeURIComponent(name).replace(/[*!'()~.]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)}.kv`;
}

/** Keeps a conversation. */
export async function writeConversation(root: FileSystemDirectoryHandle, name: string, bytes: Uint8Array): Promise<void> {
  try {
    const file = await (await folder(root)).getFileHandle(fileName(name), { create: true });
    const atomic: Partial<Pick<FileSystemFileHandle, "createWritable">> = file;
    if (atomic.createWritable !== undefined) {
      // Replaces the file when it is closed, or not at all.
      const stream = await file.createWritable();
      await stream.write(bytes as Uint8Array<ArrayBuffer>);
      await stream.close();
      return;
    }
    const handle = await (file as SyncFile).createSyncAccessHandle();
    try {
      handle.truncate(0);
      handle.write(bytes);
      handle.flush();
    } finally {
      handle.close();
    }
  } catch (error) {
    throw storageError("saving the conversation", error);
  }
}

/** The conversation of this name, if there is one. */
export async function readConversation(root: FileSystemDirectoryHandle, name: string): Promise<Uint8Array | undefined> {
  try {
    const file = await (await folder(root)).getFileHandle(fileName(name));
    return new Uint8Array(await (await file.getFile()).arrayBuffer());
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return undefined;
    throw storageError("reading the conversation", error);
  }
}

async function folder(root: FileSystemDirectoryHandle): Promise<FileSystemDirectoryHandle> {
  let folder = root;
  for (const name of FOLDERS) folder = await folder.getDirectoryHandle(name, { create: true });
  return folder;
}

function storageError(what: string, cause: unknown): RushlightError {
  const said = cause instanceof Error ? `: ${cause.message}` : "";
  const full = cause instanceof DOMException && cause.name === "QuotaExceededError";
  return new RushlightError(full ? "ERR_QUOTA" : "ERR_STORAGE", `${what} failed${said}`, { cause });
}
