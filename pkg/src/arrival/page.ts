// A web page in place of a file: the page about it, that of a wifi that wants a login, or the one that some servers answer everything
// with. Some send every file as a page, so that the name of the type alone says nothing.

import { RushlightError } from "../errors.js";

const TYPE = /^\s*(text\/html|application\/xhtml)/i;
const MARKUP = /^\uFEFF?\s*<(!doctype|html|head|body|!--|\?xml|script|meta|title)/i;

/** Bytes that are looked at. */
const LOOKED_AT = 256;

/** The body from its beginning on, unless it is a web page: that is `ERR_BAD_FILE`. */
export async function unlessPage(
  { headers }: Pick<Response, "headers">,
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  url: string,
): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  if (!TYPE.test(headers.get("content-type") ?? "")) return body;
  const reader = body.getReader();
  const first = await reader.read();
  if (MARKUP.test(new TextDecoder().decode(first.value?.subarray(0, LOOKED_AT)))) {
    void reader.cancel().catch(() => undefined);
    const advice = 'is this the address of the page about the file? On the Hugging Face hub, files have "resolve" in it where pages have "blob"';
    throw new RushlightError("ERR_BAD_FILE", `${url}: the server sent a web page and no file of a model: ${advice}`);
  }
  return new ReadableStream({
    start(sink) {
      if (first.value !== undefined) sink.enqueue(first.value);
    },
    async pull(sink) {
      const { done, value } = await reader.read();
      if (done) sink.close();
      else sink.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
