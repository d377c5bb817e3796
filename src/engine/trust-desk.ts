import { failureOf } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { isSha256, type Sha256 } from '../core/model/ids.ts'
import type { CatalogueSource } from '../core/ports.ts'
import { siteTrust } from '../core/verify/site-trust.ts'
import { advanceTrust, beginTrust, type TrustState } from '../core/verify/trust-chain.ts'
import type { EngineParts } from './parts.ts'

/** Whom this engine trusts. Nothing but the portal's own configuration and signed updates on top of it changes that. */
export interface TrustDesk {
  /** What counts now, what other tabs have accepted included. The same object until it changes. */
  current(signal: AbortSignal): Promise<TrustState>
  /**
   * Asks a source for the next update, and the next after that. Silence, 404 and nonsense alike mean that it knows of none.
   * @param round shared by all sources that are asked together; they bring at most `LIMITS.trustUpdateSteps` among them
   */
  follow(source: CatalogueSource, round: TrustRound, signal: AbortSignal): Promise<void>
  /** An accepted update, as served: what a peer is given. */
  file(version: number, signal: AbortSignal): Promise<Uint8Array | undefined>
}

export interface TrustRound {
  /** Version that it started from. */
  from?: number
}

export type TrustParts = Pick<EngineParts, 'config' | 'memory' | 'verifier' | 'withLock' | 'otherTabs'>

/** @param onDenied hears of everything that updates deny, at the start and after each change */
export function createTrustDesk(parts: TrustParts, onDenied: (denied: readonly Sha256[]) => void): TrustDesk {
  return new KeptTrust(parts, onDenied)
}

class KeptTrust implements TrustDesk {
  readonly #parts: TrustParts
  readonly #onDenied: (denied: readonly Sha256[]) => void
  #state: TrustState
  #isLoaded = false

  constructor(parts: TrustParts, onDenied: (denied: readonly Sha256[]) => void) {
    this.#parts = parts
    this.#onDenied = onDenied
    this.#state = beginTrust(parts.config.trust)
  }

  async current(signal: AbortSignal): Promise<TrustState> {
    if (!this.#isLoaded) {
      const denied: unknown = await this.#parts.memory.records.get(this.#keyOf('denied'), signal)
      if (!this.#isLoaded && Array.isArray(denied)) this.#move(this.#state, { ...this.#state, denied: denied.filter(isSha256) })
      this.#isLoaded = true
    }
    const { trust } = this.#parts.config
    // Its trusted roots grow in the background; an update's stand as it says them.
    if (trust !== this.#state.config && trust.version === this.#state.config.version)
      this.#state = { ...this.#state, config: trust, site: siteTrust(trust) }
    for (;;) {
      const before = this.#state
      const kept = before.site.updates && (await this.file(before.config.version + 1, signal))
      const next = kept && (await this.#advance(before, kept))
      if (next !== undefined) this.#move(before, next)
      else if (before === this.#state) return before
    }
  }

  async follow(source: CatalogueSource, round: TrustRound, signal: AbortSignal): Promise<void> {
    for (;;) {
      const from = await this.current(signal)
      const { version } = from.config
      round.from ??= version
      if (from.site.updates === undefined || version - round.from >= LIMITS.trustUpdateSteps) return
      let bytes: Uint8Array
      try {
        bytes = await source.readTrustUpdate(version + 1, signal)
      } catch (error) {
        if (failureOf(error) === undefined && !signal.aborted) throw error
        return
      }
      if (!(await this.#parts.withLock('sealift-trust', () => this.#take(bytes, from, signal), signal))) return
    }
  }

  async file(version: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const kept = await this.#parts.memory.records.get(this.#keyOf(version), signal)
    return kept instanceof Uint8Array ? kept : undefined
  }

  /** False when it is no update at all. */
  async #take(bytes: Uint8Array, from: TrustState, signal: AbortSignal): Promise<boolean> {
    const before = await this.current(signal)
    // Another source or tab was faster; what comes next is asked for again.
    if (before !== from) return true
    const next = await this.#advance(before, bytes)
    if (next === undefined) return false
    // With all that is denied: a portal that pins a later section makes none of it good again.
    const entries = new Map<string, unknown>([
      [this.#keyOf(next.config.version), bytes],
      [this.#keyOf('denied'), next.denied],
    ])
    await this.#parts.memory.records.putAll(entries, signal)
    this.#parts.otherTabs.postMessage('catalogue')
    this.#move(before, next)
    return true
  }

  async #advance(before: TrustState, file: Uint8Array): Promise<TrustState | undefined> {
    const { config, verifier } = this.#parts
    try {
      return await advanceTrust(before, { file, repository: config.repository }, verifier)
    } catch (error) {
      // From a source it is nonsense, from what is kept it was planted: either way there is no such update.
      if (failureOf(error) === undefined) throw error
      return undefined
    }
  }

  #move(before: TrustState, next: TrustState): void {
    if (this.#state !== before) return
    this.#state = next
    if (next.denied.length > 0) this.#onDenied(next.denied)
  }

  #keyOf(what: number | 'denied'): string {
    return `trust:${this.#parts.config.repository}:${what}`
  }
}
