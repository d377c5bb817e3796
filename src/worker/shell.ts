import { setCacheNameDetails } from 'workbox-core'
import { precacheAndRoute } from 'workbox-precaching'
import type { ShellEntry } from './scope.ts'

/**
 * Keeps the portal's own files and answers from them, so that it opens while its origin is down. Versions change as a whole, with the
 * service worker: a page never mixes old and new files.
 */
export function attachShell(entries: readonly ShellEntry[]): void {
  // A name of its own: a portal that uses Workbox itself keeps its caches, and neither empties the other's.
  setCacheNameDetails({ prefix: 'sealift' })
  if (entries.length > 0) precacheAndRoute([...entries])
}
