// Keeps the page for when there is no network. The build fills in the two constants; see build/offline.js.
//
// Files of the build have their contents' hash in their names and come from the store; the page itself comes from the network while
// there is one. A new version waits until the last tab of the old one is closed, so that a page never misses a part of its own
// version. Everything else, models above all, goes past: the package has a store of its own for them.

const VERSION = "__VERSION__";
const FILES = __FILES__;

const STORE = `rushlight-page-${VERSION}`;
const scope = new URL(self.registration.scope);
const kept = new Set(FILES.map((file) => new URL(file, scope).href));
const page = new URL("index.html", scope).href;

self.addEventListener("install", (event) => {
  const requests = FILES.map((file) => new Request(new URL(file, scope), { cache: "no-cache" }));
  event.waitUntil(caches.open(STORE).then((store) => store.addAll(requests)));
});

self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("rushlight-page-") && name !== STORE;
  event.waitUntil(caches.keys().then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name)))));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  const url = new URL(request.url);
  url.search = "";
  url.hash = "";
  if (url.href === scope.href || url.href === page) {
    event.respondWith(fetch(request).catch(() => fromStore(page, request)));
  } else if (kept.has(url.href)) {
    event.respondWith(fromStore(url.href, request));
  }
});

async function fromStore(address, request) {
  const store = await caches.open(STORE);
  return (await store.match(address)) ?? fetch(request);
}
