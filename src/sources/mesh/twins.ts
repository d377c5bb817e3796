import type { ConnectedPeer, Introducer } from './introduction.ts'

/** A link to a page, as one server names that page. */
export interface NamedLink {
  readonly entry: {
    readonly key: string
    /** The same at both ends. */
    readonly sid: string
    readonly client: Introducer
    readonly connected: ConnectedPeer | undefined
  }
  /** Of the page's certificate. */
  readonly fingerprint: string
}

/** Several signaling servers may know one page, each under a name of its own. It is connected once; its other names are kept for later. */
export class Twins<Link extends NamedLink> {
  readonly #spares = new Map<string, Link>()

  /** The page of `link` is connected already, under the name that another server gave it. */
  of({ entry, fingerprint }: Link, connected: Iterable<Link>): Link | undefined {
    for (const one of connected) {
      if (one.fingerprint !== fingerprint || one.entry.client === entry.client || one.entry.connected?.session.isOpen !== true) continue
      return one
    }
    return undefined
  }

  /** Of two links that came to stand at the same time, the one to give up: both ends know both attempts, and find the same one. */
  surplus(a: Link, b: Link): Link {
    return a.entry.sid < b.entry.sid ? b : a
  }

  keep(spare: Link): void {
    this.#spares.set(spare.entry.key, spare)
  }

  has(key: string): boolean {
    return this.#spares.has(key)
  }

  forget(key: string): void {
    this.#spares.delete(key)
  }

  /** The other names of a page whose connection ended. */
  take(fingerprint: string): readonly Link[] {
    const found = [...this.#spares.values()].filter((spare) => spare.fingerprint === fingerprint)
    for (const { entry } of found) this.#spares.delete(entry.key)
    return found
  }
}
