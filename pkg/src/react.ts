/** Two hooks for React 18 and later; on a server they do nothing. @module */

"use client";

import { useCallback, useEffect, useRef, useState } from "react";
import { type LoadOptions, loadModel, type LoadProgress, type Model, type Piece } from "./index.js";
import { contentOf } from "./react-content.js";

/** How a load stands. */
export interface ModelState {
  readonly model?: Model;
  readonly progress?: LoadProgress;
  readonly error?: unknown;
}

/**
 * Loads a model, another one where `from` changes, and disposes of it with the component. An address or an object that says the same as
 * the one before is no change, a `Blob` is what it is. The first render's options count.
 */
export function useModel(from: Parameters<typeof loadModel>[0], options: Omit<LoadOptions, "signal" | "onProgress"> = {}): ModelState {
  const [state, setState] = useState<ModelState>({});
  const first = useRef(options);
  const content = contentOf(from);
  useEffect(() => {
    const controller = new AbortController(), { signal } = controller;
    const set = (next: ModelState): void => { if (!signal.aborted) setState(next); };
    const loading = loadModel(from, { ...first.current, signal, onProgress: (progress) => { set({ progress }); } });
    loading.then((model) => { set({ model }); }, (error: unknown) => { set({ error }); });
    return () => {
      controller.abort();
      setState({});
      void loading.then((model) => { model.dispose(); }, () => undefined);
    };
    // `from` is what `content` says.
  }, [content]);
  return state;
}

/** An answer as it grows, and what begins and ends it. */
export interface AnswerState {
  readonly text: string;
  readonly running: boolean;
  readonly error?: unknown;
  /** Ends the answer before and begins another: `start((signal) => model.generate(prompt, { signal }))`. */
  readonly start: (ask: (signal: AbortSignal) => AsyncIterable<Piece>) => Promise<void>;
  /** Ends the answer; what was written of it stays. */
  readonly stop: () => void;
}

/** Shows answers of a model; the one that is being written ends with the component. */
export function useAnswer(): AnswerState {
  const [state, setState] = useState<Omit<AnswerState, "start" | "stop">>({ text: "", running: false });
  const current = useRef<AbortController>(undefined);
  const stop = useCallback(() => { current.current?.abort(); }, []);
  const start = useCallback<AnswerState["start"]>(async (ask) => {
    current.current?.abort();
    const { signal } = (current.current = new AbortController());
    let text = "";
    const set = (rest: { running: boolean; error?: unknown }): void => { if (current.current?.signal === signal) setState({ text, ...rest }); };
    set({ running: true });
    try {
      for await (const piece of ask(signal)) { text += piece.text; set({ running: true }); }
      set({ running: false });
    } catch (error) { set(signal.aborted ? { running: false } : { running: false, error }); }
  }, []);
  useEffect(() => stop, [stop]);
  return { ...state, start, stop };
}
