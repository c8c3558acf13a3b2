// Whether what is stored of a file is still what the server has.

import { abortError } from "../errors.js";
import type { Entry } from "../store/journal.js";
import { agree, type Remote, same, type Version } from "./remote.js";
import type { Patience } from "./retry.js";

/** The version that a stored file is of. */
export function versionOf({ bytes, etag, modified }: Entry): Version {
  return { total: bytes ?? undefined, etag, modified };
}

/** Whether a complete file is current. Asks the server, but not for long: without a network the stored file is as good as any. */
export async function isCurrent(entry: Entry, remote: Remote, { revalidateMs }: Patience, signal: AbortSignal): Promise<boolean> {
  const controller = new AbortController();
  const stop = (): void => {
    controller.abort();
  };
  const timer = setTimeout(stop, revalidateMs);
  signal.addEventListener("abort", stop);
  try {
    return agree(await remote.peek(controller.signal), versionOf(entry));
  } catch {
    if (signal.aborted) throw abortError(signal);
    return true;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

/** Whether a file that was begun can be gone on with: nothing but the server's word says that its chunks are of this version. */
export function isBegunOf(entry: Entry, version: Version): boolean {
  return entry.bytes !== null && same(versionOf(entry), version);
}
