// What a model brings with it that is not loaded yet, in words: how much there is to download, and what of it is kept.

import { bytes } from "../words/format";
import { keeps, keptOf } from "./cached";
import { knownModel } from "./catalogue";
import { chosen, isLoaded, lastPart, loadedEmbedder, type ModelSource, writer } from "./model";
import { plannedSize } from "./planned";

/** A model that has to be loaded first. */
interface Load {
  readonly words: string;
  readonly fetched: boolean;
}

/** What asking loads first; empty where everything is there. */
export function beforeAsking(): string {
  return sentence("Asking", [...loadOf(writer()), ...loadOfEmbedder()]);
}

/** What something else that takes a model loads first. */
export function before(what: string, from: ModelSource = writer()): string {
  return sentence(what, loadOf(from));
}

function sentence(what: string, loads: readonly Load[]): string {
  if (loads.length === 0) return "";
  const first = `${what} first loads ${loads.map(({ words }) => words).join(" and ")}.`;
  if (!loads.some(({ fetched }) => fetched)) return first;
  return keeps.value === false
    ? `${first} This browser lets the page keep nothing: it is downloaded again at the next visit.`
    : `${first} What is downloaded is kept here for the next time.`;
}

function loadOf(from: ModelSource): Load[] {
  if (isLoaded(from)) return [];
  const { file, url } = from;
  return file === undefined ? [loadOfAddress(url)] : [{ words: `${file.name} (${bytes(file.size)}, from this machine)`, fetched: false }];
}

function loadOfEmbedder(): Load[] {
  const [local, url] = [chosen.embedderFiles.value, chosen.embedder.value.trim()];
  if (loadedEmbedder.value !== undefined || chosen.search.value !== "meaning") return [];
  if (local !== undefined) return [{ words: `${local.name} (from this machine)`, fetched: false }];
  return url === "" ? [] : [loadOfAddress(url)];
}

function loadOfAddress(url: string): Load {
  const name = lastPart(url);
  const here = keptOf(url);
  if (here?.complete === true) return { words: `${name} (${bytes(here.bytes)}, kept here)`, fetched: false };
  const size = knownModel(url)?.bytes ?? plannedSize(url) ?? (here === undefined ? undefined : Math.max(here.bytes, here.stored));
  if (size === undefined) return { words: `${name} (“Check first” under Models says how large it is)`, fetched: true };
  const words = here === undefined || here.stored === 0 ? `${bytes(size)} to download` : `${bytes(size)}, ${bytes(here.stored)} of it kept here`;
  return { words: `${name} (${words})`, fetched: true };
}
