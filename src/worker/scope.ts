/** The part of `ServiceWorkerGlobalScope` that Sealift touches. */
export type WorkerScope = ServiceWorkerGlobalScope & {
  /** Set by the very last line of the built script; see `lifecycle.ts`. */
  sealiftComplete?: boolean
  /** App shell to keep: written into the script by `sealift init`. */
  sealiftShell?: readonly ShellEntry[]
}

/** One file of the app shell, as Workbox's precaching takes it. */
export interface ShellEntry {
  readonly url: string
  /** Changes with the content; null where the URL itself does. */
  readonly revision: string | null
}
