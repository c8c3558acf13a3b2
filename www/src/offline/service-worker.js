// Keeps the page for when there is no network. The build fills in the two constants; see build/offline.js.
//
// Files of the build have their contents' hash in their names and come from the store; the page itself comes from the network while
// that has it: whole, as it should be, and soon. A new version waits until the last tab of the old one is closed, so that a page never
// misses a part of its own version. Everything else, models above all, goes past: the package has a store of its own for them.

const VERSION = "__VERSION__";
const FILES = __FILES__;

/** How long the network may take before what is kept is shown. */
const PATIENCE_MS = 3000;

const scope = new URL(self.registration.scope);
// Stores are the origin's, and other folders of it may have copies of the page.
const STORES = `rushlight-page ${scope.pathname} `;
const STORE = STORES + VERSION;
const kept = new Set(FILES.map((file) => new URL(file, scope).href));
const page = new URL("index.html", scope).href;

self.addEventListener("install", (event) => {
  const requests = FILES.map((file) => new Request(new URL(file, scope), { cache: "no-cache" }));
  event.waitUntil(caches.open(STORE).then((store) => store.addAll(requests)));
});

self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith(STORES) && name !== STORE;
  event.waitUntil(caches.keys().then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name)))));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  const url = new URL(request.url);
  url.search = "";
  url.hash = "";
  if (url.href === scope.href || url.href === page) {
    event.respondWith(freshOrKept(request));
  } else if (kept.has(url.href)) {
    event.respondWith(stored(url.href).then((answer) => answer ?? fetch(request)));
  }
});

/** The page from the network, or what is kept of it where the network fails, dawdles, or has something else to say. */
async function freshOrKept(request) {
  const fresh = whole(request);
  // Whatever becomes of it later, nobody may wait for it by then.
  fresh.catch(() => undefined);
  const soon = Promise.race([fresh, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
  const answer = await soon.catch(() => undefined);
  if (answer?.ok === true) return answer;
  return (await stored(page)) ?? fresh;
}

/** An answer with its body: one that breaks off is none. */
async function whole(request) {
  const answer = await fetch(request);
  // Redirections and errors are passed on as they are, if at all.
  if (!answer.ok) return answer;
  const { status, statusText, headers } = answer;
  return new Response(await answer.blob(), { status, statusText, headers });
}

async function stored(address) {
  return await (await caches.open(STORE)).match(address);
}
