// The service worker of `isolate`. A classic script without imports, so that it can be copied and every browser takes it.
// Only documents and workers need the headers: nothing else passes through here.

const scope = globalThis as unknown as ServiceWorkerGlobalScope;

/** What has an embedder policy of its own. */
const NEEDS_HEADERS = new Set<RequestDestination>(["document", "frame", "iframe", "sharedworker", "worker"]);

const EMBEDDER = new URL(scope.location.href).searchParams.get("embedder") === "credentialless" ? "credentialless" : "require-corp";

scope.addEventListener("install", () => {
  void scope.skipWaiting();
});

scope.addEventListener("activate", (event) => {
  event.waitUntil(scope.clients.claim());
});

scope.addEventListener("fetch", (event) => {
  const { request } = event;
  if (NEEDS_HEADERS.has(request.destination)) event.respondWith(fetch(request).then(withHeaders));
});

function withHeaders(response: Response): Response {
  // A redirect that the browser follows itself, or another site's answer: neither can be changed.
  if (response.status === 0) return response;
  const headers = new Headers(response.headers);
  headers.set("cross-origin-opener-policy", "same-origin");
  headers.set("cross-origin-embedder-policy", EMBEDDER);
  // What an iframe of the same site needs in turn.
  if (!headers.has("cross-origin-resource-policy")) headers.set("cross-origin-resource-policy", "same-origin");
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}
