/**
 * Cross-origin isolation, which threads need, on hosts that cannot send its two headers, such as GitHub Pages: a service worker
 * adds them to what the server sends. Serve `node_modules/rushlight/dist/isolate-worker.js` from the top folder of your site.
 *
 * @example
 * import { isolate } from "rushlight/isolate";
 * const threads = await isolate("/isolate-worker.js"); // Reloads the page once, on the first visit.
 *
 * @module
 */

/** How to isolate the page. */
export interface IsolateOptions {
  /**
   * What other sites' images, scripts and frames need: `require-corp`, the default, that their servers allow it;
   * `credentialless` nothing, but they are fetched without cookies, and Safari then does not isolate the page.
   */
  embedder?: "require-corp" | "credentialless";
  /** Whether to reload the page where that is what is missing; `true` where left out. Else it is isolated from the next visit on. */
  reload?: boolean;
}

/** Set while a reload is on its way, so that a page whose reload does not help is not reloaded for ever. */
const RELOADED = "rushlight-isolate";

/**
 * Registers the service worker, unless the server sends the headers itself. Gives whether the page is isolated: `false` where
 * the browser or the address (neither https nor localhost) does not allow it. Models run all the same, on one thread.
 */
export async function isolate(script: string | URL, { embedder = "require-corp", reload = true }: IsolateOptions = {}): Promise<boolean> {
  const { crossOriginIsolated, isSecureContext, document } = globalThis as Partial<typeof globalThis>;
  if (document === undefined) return false;
  if (crossOriginIsolated === true) {
    store()?.removeItem(RELOADED);
    return true;
  }
  const container = (navigator as { readonly serviceWorker?: ServiceWorkerContainer }).serviceWorker;
  if (isSecureContext !== true || container === undefined) return false;
  const address = new URL(script, document.baseURI);
  address.searchParams.set("embedder", embedder);
  try {
    await container.register(address);
    await container.ready;
  } catch {
    // A private window, a policy, or no such file, which the console says.
    return false;
  }
  const storage = store();
  if (!reload || storage?.getItem(RELOADED) !== null) return false;
  storage.setItem(RELOADED, "1");
  location.reload();
  // The page ends here: nothing should go on meanwhile.
  return await new Promise<never>(() => undefined);
}

/** The storage of this visit; browsers may forbid even to look at it. */
function store(): Storage | undefined {
  try {
    return sessionStorage;
  } catch {
    return undefined;
  }
}
