/**
 * The kill switch: served in place of `sw.js`, it takes Sealift out of every browser that comes by. It lets open tabs load
 * from the network again and removes itself; what was stored stays, for a page may still want it.
 */

declare const self: ServiceWorkerGlobalScope

self.addEventListener('install', (event) => event.waitUntil(self.skipWaiting()))
self.addEventListener('activate', (event) => event.waitUntil(leave()))
// A page that registers again while this one is on its way out brings it back, without another `activate` (Chromium 156). A page speaks to a
// worker that still waits, too: to unregister then would leave the old one in charge of every open tab, and this one never activated (Chromium 150).
self.addEventListener('message', (event) => {
  const { installing, waiting } = self.registration
  if (installing === null && waiting === null) event.waitUntil(self.registration.unregister())
})

async function leave(): Promise<void> {
  // A worker without a fetch handler frees every open tab at once, without the reloads that could loop with a page that registers again.
  await self.clients.claim()
  await self.registration.unregister()
}
