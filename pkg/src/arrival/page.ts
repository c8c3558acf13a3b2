// A web page in place of a file: the page about it, that of a wifi that wants a login, or the one that some servers answer everything
// with. Some send every file as a page, so that the name of the type alone says nothing.

import { RushlightError } from "../errors.js";

const TYPE = /^\s*(text\/html|application\/xhtml)/i;
const MARKUP = /^\s*<[!?a-z]/i;

/** Bytes that are looked at. */
const LOOKED_AT = 256;

/** The body from its beginning on, unless it is a web page: that is `ERR_BAD_FILE`. */
export async function unlessPage(
  { headers }: Pick<Response, "headers">,
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  url: string,
): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  if (!TYPE.test(headers.get("content-type") ?? "")) return body;
  const [looked, rest] = body.tee();
  const reader = looked.getReader();
  const { value } = await reader.read();
  void reader.cancel().catch(() => undefined);
  if (!MARKUP.test(new TextDecoder().decode(value?.subarray(0, LOOKED_AT)))) return rest;
  void rest.cancel().catch(() => undefined);
  throw new RushlightError("ERR_BAD_FILE", `${url}: the server sent a web page: is this the address of the page about the file?`);
}
