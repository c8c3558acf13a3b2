// The models that the page is set to. `cargo xtask demo` and whoever puts the page on a server have them beside it.

/** A model that is known before anything of it is fetched. */
export interface KnownModel {
  /** Relative to the page, whichever folder it lies in. One that is a folder ends with a slash. */
  readonly url: string;
  readonly name: string;
  /** What a load fetches. */
  readonly bytes: number;
  /** What it is for. */
  readonly use: string;
}

/** Continues texts, and answers from documents. */
export const GEMMA: KnownModel = {
  url: "models/gemma-3-270m-q4_k_m.gguf",
  name: "Gemma 3 270M",
  bytes: 253_113_024,
  use: "answers from documents, continues texts",
};

/** Holds conversations. */
export const SMOLLM2: KnownModel = {
  url: "models/SmolLM2-135M-Instruct.Q4_1.gguf",
  name: "SmolLM2 135M Instruct",
  bytes: 98_362_432,
  use: "holds conversations",
};

/** Finds passages by what they mean. */
export const MINILM: KnownModel = {
  url: "models/all-MiniLM-L6-v2/",
  name: "all-MiniLM-L6-v2",
  bytes: 91_335_478,
  use: "finds passages",
};

/** Models that write. */
export const WRITERS: readonly KnownModel[] = [GEMMA, SMOLLM2];

const ALL: readonly KnownModel[] = [...WRITERS, MINILM];

/** An address in full, relative ones from the page; `undefined` where it is none. */
export function inFull(url: string): string | undefined {
  return URL.canParse(url, document.baseURI) ? new URL(url, document.baseURI).href : undefined;
}

/** What is known of the model at an address. */
export function knownModel(url: string): KnownModel | undefined {
  return ALL.find((known) => inFull(known.url) === inFull(url));
}
