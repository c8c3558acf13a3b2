import { RushlightError } from "rushlight";

/** A failure in words. */
export interface Failure {
  readonly code: string;
  readonly title: string;
  /** What the person can do. */
  readonly advice: string;
  /** What the code said, for a report. */
  readonly detail: string;
}

const WORDS: Readonly<Record<string, readonly [title: string, advice: string]>> = {
  ERR_BAD_FILE: ["This is no model file that can be used", "It is damaged, cut off, or no GGUF file at all. Fetch it again, or choose another."],
  ERR_BAD_ARGUMENT: ["A setting is out of its range", "Change it and try again."],
  ERR_BAD_SETTING: ["A setting is out of its range", "Change it and try again."],
  ERR_CONTEXT: ["The text is too long for the context", "Shorten the prompt, ask for fewer tokens, or load the model with a longer context."],
  ERR_DEVICE: ["The GPU reported an error", "Choose “CPU” under “Run on” and try again."],
  ERR_DEVICE_LOST: ["The GPU went away", "Its driver was reset, or the machine slept. Generate again: the model is then loaded anew."],
  ERR_NO_BACKEND: ["There is no usable GPU here", "Choose “CPU” or “Automatic” under “Run on”, or use a browser with WebGPU."],
  ERR_OUT_OF_MEMORY: ["There is not enough memory", "Close other tabs, choose a smaller model or a shorter context, and try again."],
  ERR_UNSUPPORTED: ["This kind of model file is not supported", "It uses a format that this version does not read."],
  ERR_UNSUPPORTED_MODEL: ["This model is not supported", "Rushlight does not know its architecture yet."],
  ERR_UNSUPPORTED_TOKENIZER: ["This model’s tokenizer is not supported", "Rushlight does not know it yet."],
  ERR_INTERNAL: ["Rushlight made a mistake", "Please report it with the line below."],
};

/** What to say about anything that was thrown. */
export function explain(error: unknown): Failure {
  if (!(error instanceof RushlightError)) {
    const detail = error instanceof Error ? error.message : String(error);
    return words("ERR_INTERNAL", detail);
  }
  return error.code === "ERR_NETWORK" ? network(error) : words(error.code, error.message);
}

function words(code: string, detail: string): Failure {
  const [title, advice] = WORDS[code] ?? ["That did not work", "The line below says why."];
  return { code, title, advice, detail };
}

function network({ code, status, message: detail }: RushlightError): Failure {
  if (status === 404) {
    return { code, title: "There is no model file at this address", advice: "Check the address, or choose a file.", detail };
  }
  if (status !== undefined) {
    return { code, title: `The server refused the file (HTTP ${status})`, advice: "Try again later, or choose a file.", detail };
  }
  const advice = "The connection broke, or the server does not let other pages read the file (CORS). Try again, or choose a file.";
  return { code, title: "The model file could not be fetched", advice, detail };
}
