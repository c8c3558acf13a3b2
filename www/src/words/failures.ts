// What went wrong, in words that a person can act on, and the code that a program can match.

import { RushlightError } from "../engine";

/** A failure in words. */
export interface Failure {
  readonly code: string;
  readonly title: string;
  /** What the person can do. */
  readonly advice: string;
  /** What the code said, for a report. */
  readonly detail: string;
}

/** What the page itself throws; its codes are in the table below. */
export class PageError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "PageError";
    this.code = code;
  }
}

const WORDS: Readonly<Record<string, readonly [title: string, advice: string]>> = {
  // Of the package.
  ERR_BAD_FILE: ["This is no model file that can be used", "It is damaged, cut off, or no GGUF file at all. Fetch it again, or choose another."],
  ERR_BAD_ARGUMENT: ["A setting is out of its range", "Change it and try again."],
  ERR_BAD_SETTING: ["A setting is out of its range", "Change it and try again."],
  ERR_CONTEXT: ["The text is too long for the context", "Shorten it, ask for fewer tokens, begin a new conversation, or load the model with a longer context."],
  ERR_DEVICE: ["The GPU reported an error", "Choose “CPU” under “Run on” and try again."],
  ERR_DEVICE_LOST: ["The GPU went away", "Its driver was reset, or the machine slept. Try again: the model is then loaded anew."],
  ERR_HASH: ["The file is not what it should be", "Its checksum is wrong, even after fetching it again. The server, or something on the way, changed it."],
  ERR_NO_BACKEND: ["There is no usable GPU here", "Choose “CPU” or “Automatic” under “Run on”, or use a browser with WebGPU."],
  ERR_NO_TEMPLATE: ["This model has no chat template", "It only continues text: use it in the playground, without “Send as a chat message”, and talk with another one."],
  ERR_TEMPLATE: ["The model’s chat template does not work", "It comes with the file. Use it in the playground, without “Send as a chat message”, and talk with another one."],
  ERR_OUT_OF_MEMORY: ["There is not enough memory", "Close other tabs, choose a smaller model or a shorter context, and try again."],
  ERR_QUOTA: ["There is no room to keep the model", "The browser gives this page less storage than the file needs. Delete other models under “Models”, or free some disk space."],
  ERR_STORAGE: ["The browser refused to store the model", "In a private window, or with site data blocked, nothing can be kept. Allow it, or choose the file itself."],
  ERR_UNSUPPORTED: ["This kind of model file is not supported", "It stores its weights in a way that this version does not read. Look for the same model as Q4_K_M or Q8_0."],
  ERR_UNSUPPORTED_MODEL: ["This model is not supported", "Rushlight does not know its architecture yet, or not the part that the line below names."],
  ERR_UNSUPPORTED_TOKENIZER: ["This model’s tokenizer is not supported", "Rushlight does not know it yet."],
  ERR_INTERNAL: ["Rushlight made a mistake", "Please report it with the line below."],
  // Of the page.
  ERR_EMBEDDER_FILES: ["Files of this model are missing", "It takes model.safetensors, config.json and tokenizer.json from the same folder. Choose them all, or the folder."],
  ERR_ONE_MODEL: ["One model at a time", "Only the first of these models is loaded. Drop the other one when it has ended."],
  ERR_EMPTY_MESSAGE: ["There is no message yet", "Write one, then send it."],
  ERR_EMPTY_QUESTION: ["There is no question yet", "Write one, then ask."],
  ERR_NO_DOCUMENT: ["There is no document to ask yet", "Drop one on the page, paste some text, or try the sample."],
  ERR_EMPTY_DOCUMENT: ["There is no text in this document", "A scanned document is only pictures of text: run it through text recognition first."],
  ERR_DOCUMENT_TYPE: ["This document cannot be read", "Text, Markdown, HTML and PDF can. Save it as one of these, or paste its text."],
  ERR_DOCUMENT_SIZE: ["This document is too large", "Up to 50 MB can be read. Add the part that matters."],
  ERR_PDF: ["This PDF cannot be read", "It is damaged, or no PDF at all. Open it elsewhere and save it again, or paste its text."],
  ERR_PDF_PASSWORD: ["This PDF is protected with a password", "Save a copy without the password, or paste its text."],
};

/** What a loaded model says when it is asked for what it has no head for. */
const WRONG_TASK = [
  "This model cannot do that",
  "A model that makes vectors cannot write, and one that writes makes no vectors. Load another under “Models”.",
] as const;

/** What to say about anything that was thrown; `loaded` where a model stood ready. */
export function explain(error: unknown, loaded = false): Failure {
  if (error instanceof PageError) return words(error.code, error.message);
  if (!(error instanceof RushlightError)) {
    const detail = error instanceof Error ? error.message : String(error);
    return words("ERR_INTERNAL", detail);
  }
  const { code, message } = error;
  if (code === "ERR_NETWORK") return network(error);
  if (code === "ERR_UNSUPPORTED_MODEL" && loaded) {
    const [title, advice] = WRONG_TASK;
    return { code, title, advice, detail: message };
  }
  return words(code, message);
}

function words(code: string, detail: string): Failure {
  const [title, advice] = (Object.hasOwn(WORDS, code) ? WORDS[code] : undefined) ?? ["That did not work", "The line below says why."];
  return { code, title, advice, detail };
}

function network({ code, status, message: detail }: RushlightError): Failure {
  if (status === 404) {
    return { code, title: "There is no model file at this address", advice: "Check the address, or choose a file.", detail };
  }
  if (status !== undefined) {
    return { code, title: `The server refused the file (HTTP ${status})`, advice: "Try again later, or choose a file.", detail };
  }
  const advice = navigator.onLine
    ? "The connection broke, the address is no https one, or its server does not let other pages read the file (CORS). Download the file and choose it."
    : "This machine is offline. Choose a file, or a model that is kept here.";
  return { code, title: "The model file could not be fetched", advice, detail };
}
