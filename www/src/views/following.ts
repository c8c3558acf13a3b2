import { useEffect, useRef } from "preact/hooks";

/** Keeps the end of a growing text in view, unless the visitor scrolled away from it. */
export function useFollowing(text: { readonly current: HTMLElement | null }, grown: unknown): void {
  const height = useRef(0);
  useEffect(() => {
    const box = text.current;
    if (box === null) return;
    const wasAtEnd = height.current - box.scrollTop - box.clientHeight < 40;
    height.current = box.scrollHeight;
    if (wasAtEnd) box.scrollTop = box.scrollHeight;
  }, [text, grown]);
}
