import { parseToWorkerMessage } from '../core/wire/parse-worker-message.ts'
import type { Aliases } from './aliases.ts'
import type { WorkerScope } from './scope.ts'

/**
 * Install, activate, messages. A new worker waits: it takes over when a page says that no transfer runs, or when the last page is closed.
 */
export function attachLifecycle(scope: WorkerScope, aliases: Aliases): void {
  scope.addEventListener('install', (event) => {
    // A script cut short on its way parses, installs and replaces the good one (measured, Chromium 156), unless its last line is asked for.
    if (scope.sealiftComplete !== true) event.waitUntil(Promise.reject(new TypeError('this script was cut short')))
  })
  scope.addEventListener('activate', (event) => event.waitUntil(scope.clients.claim()))
  scope.addEventListener('message', (event) => {
    // Only windows of this origin can reach us, but any script in them may.
    const message = parseToWorkerMessage(event.data)
    switch (message?.type) {
      case 'claim':
        event.waitUntil(scope.clients.claim())
        return
      case 'activate':
        event.waitUntil(scope.skipWaiting())
        return
      case 'refresh':
        event.waitUntil(aliases.load())
        return
      case 'ping':
      case undefined:
    }
  })
}
