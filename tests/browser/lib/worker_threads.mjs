// Threads of workers, as the kernel counts them.

import { readdirSync, readFileSync } from "node:fs";

/** Threads that run a worker's script in the browsers that this process has started: Chromium names them so. */
export function workerThreads() {
  const parents = new Map();
  for (const name of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    // A program's name, in parentheses, may hold anything; state and parent stand behind it.
    const parent = look(() => readFileSync(`/proc/${name}/stat`, "utf8").split(") ").at(-1).split(" ")[1]);
    if (parent !== undefined) parents.set(name, parent);
  }
  let count = 0;
  for (const name of parents.keys()) {
    let above = name;
    while (above !== undefined && above !== String(process.pid)) above = parents.get(above);
    if (above === undefined) continue;
    for (const thread of look(() => readdirSync(`/proc/${name}/task`)) ?? []) {
      const title = look(() => readFileSync(`/proc/${name}/task/${thread}/comm`, "utf8"));
      if (title?.startsWith("DedicatedWorker") === true) count++;
    }
  }
  return count;
}

/** What is there; `undefined` where it ended while we looked. */
function look(read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}
