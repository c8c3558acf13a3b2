// The few file operations that the store is made of, and the origin private file system behind them. The tests put a file
// system of their own in its place, which breaks off after any write.

import type { Bytes } from "../arrival/sha256.js";

/** A file that nobody else has open for writing. Only workers can have one. */
export interface OpenFile {
  size(): number;
  /** Reads from a position on; gives the number of bytes that were there. */
  read(into: Bytes, at: number): number;
  /** Writes at a position, also beyond the end. */
  write(bytes: Bytes, at: number): void;
  truncate(size: number): void;
  /** Waits until everything is on its medium. */
  flush(): void;
  close(): void;
}

/** A folder of files. */
export interface Folder {
  names(): Promise<string[]>;
  /** The file as it is now; `undefined` where there is none. */
  snapshot(name: string): Promise<Blob | undefined>;
  /** Opens a file, a new one where there is none. Fails where somebody else has it open. */
  open(name: string): Promise<OpenFile>;
  /** Removes a file. Fails where somebody has it open; that there is none is no failure. */
  remove(name: string): Promise<void>;
}

/** The root of the origin private file system, or a folder below it; `undefined` where the browser has none for this page. */
export async function originFolder(...path: readonly string[]): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    const storage = (globalThis.navigator as { readonly storage?: StorageManager } | undefined)?.storage;
    // Firefox refuses it in private windows, and every browser on pages that are not from https or localhost.
    let directory = await storage?.getDirectory();
    for (const name of path) directory = await directory?.getDirectoryHandle(name, { create: true });
    return directory;
  } catch {
    return undefined;
  }
}

/** The same, for files of models. */
export async function opfsFolder(...path: readonly string[]): Promise<Folder | undefined> {
  const directory = await originFolder(...path);
  return directory === undefined ? undefined : new OpfsFolder(directory);
}

class OpfsFolder implements Folder {
  readonly #directory: FileSystemDirectoryHandle;

  constructor(directory: FileSystemDirectoryHandle) {
    this.#directory = directory;
  }

  async names(): Promise<string[]> {
    const names = [];
    for await (const name of (this.#directory as unknown as { keys(): AsyncIterable<string> }).keys()) names.push(name);
    return names;
  }

  async snapshot(name: string): Promise<Blob | undefined> {
    try {
      return await (await this.#directory.getFileHandle(name)).getFile();
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async open(name: string): Promise<OpenFile> {
    const handle = (await this.#directory.getFileHandle(name, { create: true })) as unknown as {
      createSyncAccessHandle(): Promise<SyncAccessHandle>;
    };
    return new OpfsFile(await patiently(() => handle.createSyncAccessHandle()));
  }

  async remove(name: string): Promise<void> {
    try {
      await patiently(() => this.#directory.removeEntry(name));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
}

/** A tab that was closed gives its locks back at once, and its files a little later. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      const isOpen = error instanceof DOMException && error.name === "NoModificationAllowedError";
      if (!isOpen || tries === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof DOMException && error.name === "NotFoundError";
}

/** The types that come with TypeScript have it only for workers. */
interface SyncAccessHandle {
  read(buffer: Bytes, options: { at: number }): number;
  write(buffer: Bytes, options: { at: number }): number;
  getSize(): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

class OpfsFile implements OpenFile {
  readonly #handle: SyncAccessHandle;

  constructor(handle: SyncAccessHandle) {
    this.#handle = handle;
  }

  size(): number {
    return this.#handle.getSize();
  }

  read(into: Bytes, at: number): number {
    return this.#handle.read(into, { at });
  }

  write(bytes: Bytes, at: number): void {
    // A disk that is full may take a part and say nothing more.
    const written = this.#handle.write(bytes, { at });
    if (written < bytes.length) throw new DOMException(`${written} of ${bytes.length} bytes were written`, "QuotaExceededError");
  }

  truncate(size: number): void {
    this.#handle.truncate(size);
  }

  flush(): void {
    this.#handle.flush();
  }

  close(): void {
    this.#handle.close();
  }
}
