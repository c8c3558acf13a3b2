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
 * the browser or the address (neither https nor localhost) does not allow it, and where the page has a service worker of its own:
 * that one is left alone, and a warning says what to do: import `isolate-worker.js` there, and give its address as `script`. Models run all the same, on one thread.
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
  const obstacle = await obstacleTo(address, container);
  if (obstacle !== undefined) {
    console.warn(`rushlight/isolate: ${obstacle}`);
    return false;
  }
  try {
    await activation(await container.register(address));
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

/** How long a service worker may take to become the one that serves; one of your own may wait for older pages to be closed. */
const ACTIVATION_MS = 5000;

/** Waits until the newest script of a registration serves its pages. */
async function activation({ installing, waiting, active }: ServiceWorkerRegistration): Promise<void> {
  const worker = installing ?? waiting ?? active;
  if (worker === null || worker.state === "activated") return;
  await new Promise<void>((resolve, reject) => {
    setTimeout(resolve, ACTIVATION_MS);
    worker.addEventListener("statechange", () => {
      if (worker.state === "activated") resolve();
      if (worker.state === "redundant") reject(new Error("the service worker could not be installed"));
    });
  });
}

/** What keeps a service worker from serving this page, in words. */
async function obstacleTo(address: URL, container: ServiceWorkerContainer): Promise<string | undefined> {
  const scope = new URL("./", address).href;
  if (!location.href.startsWith(scope)) {
    return `${address.pathname} serves only pages below ${scope}; put it into the top folder of the site`;
  }
  // Of this page, and of the scope that it would be registered for: a second worker would put an end to the first.
  const registrations = await Promise.all([container.getRegistration(), container.getRegistration(scope)]).catch(() => []);
  for (const registration of registrations) {
    const worker = registration?.active ?? registration?.waiting ?? registration?.installing;
    if (worker == null || new URL(worker.scriptURL).pathname === address.pathname) continue;
    const script = new URL(worker.scriptURL).pathname;
    return (
      `this page has a service worker of its own, ${script}, and can have only one. Begin that one with ` +
      `importScripts("${address.pathname}") and give its address to isolate; what it answers itself needs the two headers`
    );
  }
  return undefined;
}

/** The storage of this visit; browsers may forbid even to look at it. */
function store(): Storage | undefined {
  try {
    return sessionStorage;
  } catch {
    return undefined;
  }
}
