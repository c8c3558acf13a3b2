/** Things per second over the last few seconds, so that the figure follows the line and not its history. */
export class Rate {
  static readonly #WINDOW_MS = 3000;
  #samples: { readonly at: number; readonly done: number }[] = [];

  /** Takes in how many there are now; gives how many come a second, 0 while it cannot tell. */
  update(done: number, at: number = performance.now()): number {
    this.#samples.push({ at, done });
    while (this.#samples.length > 2 && at - (this.#samples[0]?.at ?? at) > Rate.#WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0];
    return first === undefined || at <= first.at ? 0 : ((done - first.done) * 1000) / (at - first.at);
  }
}
