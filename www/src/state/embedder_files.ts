// The files of an embedding model that the visitor has chosen: which of them is which.

import type { ModelFiles } from "../engine";
import { PageError } from "../words/failures";

/** A model on the visitor's disk. */
export interface EmbedderFiles {
  /** What it is called here: its folder, or the file with its weights. */
  readonly name: string;
  /** As the package takes it. */
  readonly from: ModelFiles | File;
}

const WEIGHTS = "model.safetensors";
const CONFIG = "config.json";
const TOKENIZER = "tokenizer.json";
const SENTENCE = "sentence_bert_config.json";
const POOLING = "1_Pooling/config.json";

/** Whether a file that was dropped belongs to a model that finds passages, and is no document. */
export function isEmbedderFile({ name }: File): boolean {
  return name.endsWith(".safetensors") || [CONFIG, TOKENIZER, SENTENCE].includes(name);
}

/** Finds the files of a model among those of a folder, or among files that were chosen by themselves. Throws where one is missing. */
export function embedderFrom(files: readonly File[]): EmbedderFiles {
  const byPath = new Map(files.map((file) => [file.webkitRelativePath || file.name, file]));
  const paths = [...byPath.keys()].sort((a, b) => depth(a) - depth(b));
  // By its usual name, wherever it lies: beside it there may be others, for other programs.
  const weights = paths.find((path) => baseOf(path) === WEIGHTS) ?? paths.find((path) => path.endsWith(".safetensors"));
  const gguf = paths.find((path) => path.toLowerCase().endsWith(".gguf"));
  const whole = gguf === undefined ? undefined : byPath.get(gguf);
  if (weights === undefined && whole !== undefined) return { name: whole.name, from: whole };
  const folder = folderOf(weights ?? paths[0] ?? "");
  const beside = (name: string): File | undefined => byPath.get(folder + name);
  const [model, config, tokenizer] = [byPath.get(weights ?? ""), beside(CONFIG), beside(TOKENIZER)];
  if (model === undefined || config === undefined || tokenizer === undefined) {
    const needed = { [WEIGHTS]: model, [CONFIG]: config, [TOKENIZER]: tokenizer };
    const missing = Object.entries(needed).flatMap(([name, file]) => (file === undefined ? [name] : []));
    throw new PageError("ERR_EMBEDDER_FILES", `missing: ${missing.join(", ")}`);
  }
  const [sentence, pooling] = [beside(SENTENCE), beside(POOLING)];
  return {
    name: folder === "" ? model.name : baseOf(folder.slice(0, -1)),
    from: {
      model,
      config,
      tokenizer,
      ...(sentence === undefined ? {} : { sentence }),
      ...(pooling === undefined ? {} : { pooling }),
    },
  };
}

function depth(path: string): number {
  return path.split("/").length;
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** With the slash at its end; empty for a file by itself. */
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}
