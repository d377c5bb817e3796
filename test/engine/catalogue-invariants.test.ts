import fc from 'fast-check'
import { beforeAll, expect, test, vi } from 'vitest'
import { DeliveryError, failureOf } from '../../src/core/errors.ts'
import type { Sha256 } from '../../src/core/model/ids.ts'
import { createReputation } from '../../src/core/plan/reputation.ts'
import type { SignatureVerifier } from '../../src/core/ports.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { createCatalogueDesk, type CatalogueDesk } from '../../src/engine/catalogue-desk.ts'
import { createLiveArtifacts } from '../../src/engine/live-artifacts.ts'
import { createScriptHasher } from '../../src/engine/script-hasher.ts'
import type { EngineParts } from '../../src/engine/parts.ts'
import { createTrustDesk } from '../../src/engine/trust-desk.ts'
import { createSourceHub } from '../../src/engine/source-hub.ts'
import { createTwinRecords } from '../../src/stores/twin-records.ts'
import { createSigstoreVerifier } from '../../src/trust/sigstore-verifier.ts'
import { createMemoryFiles } from '../fakes/memory-files.ts'
import { createProcessLocks } from '../fakes/process-lock.ts'
import { configOf, createMachine, createMirror, never } from './machine.ts'
import { createPublisher, type Publisher } from './publisher.ts'
import { createRoster } from '../../src/scheduler/roster.ts'

/** Raise it for a longer hunt: `SEALIFT_RUNS=20000 npx vitest run test/engine/catalogue-invariants.test.ts`. */
const RUNS = Number(process.env['SEALIFT_RUNS'] ?? 200)

vi.setConfig({ testTimeout: Math.max(60_000, RUNS * 300), hookTimeout: 60_000 })

const DAY = 86_400
const VERSIONS = 6
const MINIMUM = 1

let publisher: Publisher
/** By version and twin: the same publisher signed two different payloads under each version. */
let files: readonly (readonly [Uint8Array, Uint8Array])[]
let verifier: SignatureVerifier

/** A hundred days apart, so that a clock set back is ahead of some and behind others; the last is of today. */
const versionOf = (step: number): number => publisher.nowSeconds - (VERSIONS - 1 - step) * 100 * DAY

beforeAll(async () => {
  publisher = await createPublisher()
  const signed = (step: number, graceSeconds: number): Promise<Uint8Array> => {
    const version = versionOf(step)
    const times = { createdAtSeconds: version, refreshAfterSeconds: version, expiresAtSeconds: version + 1000 * DAY }
    return publisher.catalogue([], { version, graceSeconds, ...times })
  }
  files = await Promise.all(Array.from({ length: VERSIONS }, async (_, step) => [await signed(step, 0), await signed(step, 1)] as const))
  verifier = rememberVerdicts(createSigstoreVerifier())
})

/** The real verdicts, each worked out once. */
function rememberVerdicts(real: SignatureVerifier): SignatureVerifier {
  const known = new Map<string, ReturnType<SignatureVerifier['verify']>>()
  return {
    verify(bundle, subject, policy) {
      const key = `${sha256Of(bundle)} ${subject}`
      const verdict = known.get(key) ?? real.verify(bundle, subject, policy)
      known.set(key, verdict)
      return verdict
    },
  }
}

interface Offer {
  readonly step: number
  readonly isTwin: boolean
}

/** What happens to a browser of three tabs, one thing after the other. */
type Event =
  | { readonly kind: 'ask'; readonly tab: number; readonly offers: readonly Offer[] }
  | { readonly kind: 'ask-together'; readonly asks: readonly { readonly tab: number; readonly offers: readonly Offer[] }[] }
  | { readonly kind: 'reopen'; readonly tab: number }
  /** The browser dies after so many writes of this tab, and is started again. */
  | { readonly kind: 'kill'; readonly tab: number; readonly offers: readonly Offer[]; readonly writes: number }
  | { readonly kind: 'evict'; readonly place: 'index' | 'files' }
  | { readonly kind: 'set-clock'; readonly offsetDays: number }

const offers = fc.array(fc.record({ step: fc.nat(VERSIONS - 1), isTwin: fc.boolean() }), { maxLength: 3 })
const tab = fc.nat(2)
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('ask' as const), tab, offers }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('ask-together' as const),
      asks: fc.uniqueArray(fc.record({ tab, offers }), { minLength: 2, maxLength: 3, selector: (ask) => ask.tab }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('reopen' as const), tab }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('kill' as const), tab, offers, writes: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('evict' as const), place: fc.constantFrom('index' as const, 'files' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('set-clock' as const), offsetDays: fc.constantFrom(0, 0, 1, -1, -150, -400, 400) }),
  },
)

/** What a desk said: one step of its life. */
interface Said {
  readonly version: number
  readonly sha256: Sha256
}

interface Tab {
  readonly desk: CatalogueDesk
  /** What its sources serve from now on. */
  readonly offer: (offers: readonly Offer[]) => void
  last: Said | undefined
}

/** The real desk of each tab over one store, and beside it what a visitor may rely on. */
class Browser {
  readonly #machine = createMachine(publisher)
  readonly #files = createMemoryFiles()
  readonly #withLock = createProcessLocks()
  #writesLeft = Infinity
  readonly #tabs: Tab[] = [this.#open(), this.#open(), this.#open()]
  /** What some tab was told and what the store still has to know, as long as one of its two places does. */
  #promise: Said | undefined
  #places = { index: false, files: false }
  /** The highest that anybody may have learned of: as the browser was killed, with nobody to hear it, or before the clock was set back. */
  #rumour = 0

  #open(): Tab {
    const { index, clock, stores } = this.#machine
    const config = { ...configOf(publisher), trust: { ...publisher.trust, minimumVersion: versionOf(MINIMUM) } }
    let mirrors: readonly ReturnType<typeof createMirror>[] = []
    const hub = createSourceHub(config, {
      isSecurePage: false,
      clock,
      windowSources: {
        current: () => [],
        catalogues: () => mirrors,
        onChange: () => () => undefined,
        setNeeds: () => undefined,
        ban: () => undefined,
        isGrowing: () => false,
      },
    })
    const write = async (work: () => Promise<void>): Promise<void> => {
      if (this.#writesLeft-- <= 0) throw new DeliveryError({ code: 'store-failed', detail: 'the browser was killed' })
      await work()
    }
    const records = createTwinRecords(
      { ...index.records, putAll: (entries, signal) => write(() => index.records.putAll(entries, signal)) },
      { ...this.#files, writeText: (name, text) => write(() => this.#files.writeText(name, text)) },
    )
    const shared = {
      config,
      memory: { ...index, records },
      verifier: { ...verifier, under: () => verifier },
      withLock: this.#withLock,
      otherTabs: { postMessage: () => undefined, addEventListener: () => undefined },
    }
    const parts: EngineParts = {
      ...shared,
      stores,
      hub,
      trust: createTrustDesk(shared, () => undefined),
      hasher: createScriptHasher(),
      reputation: createReputation(),
      roster: createRoster(clock),
      clock,
      random: () => 0,
      runPeers: undefined,
      live: createLiveArtifacts(),
    }
    return {
      desk: createCatalogueDesk(parts, () => undefined),
      last: undefined,
      offer: (offered) => {
        mirrors = offered.map(({ step, isTwin }, at) => createMirror(`cdn-${at}`, { catalogue: files[step]?.[isTwin ? 1 : 0] }))
      },
    }
  }

  async happen(one: Event): Promise<void> {
    switch (one.kind) {
      case 'ask':
        return await this.#ask([one])
      case 'ask-together':
        return await this.#ask(one.asks)
      case 'reopen':
        this.#tabs[one.tab] = this.#open()
        return
      case 'kill':
        return await this.#kill(one)
      case 'evict':
        return await this.#evict(one.place)
      case 'set-clock':
        this.#machine.clock.nowSeconds = publisher.nowSeconds + 120 + one.offsetDays * DAY
    }
  }

  async #ask(asks: readonly { readonly tab: number; readonly offers: readonly Offer[] }[]): Promise<void> {
    const before = this.#isPromiseKept() ? this.#promise : undefined
    const heard = await Promise.all(asks.map(async (ask) => ({ ask, said: await this.#hear(ask) })))
    for (const { ask, said } of heard) {
      const one = this.#tabs[ask.tab]
      if (one === undefined) throw new RangeError('there are three tabs')
      if (said === undefined) {
        if (asks.length === 1) this.#requireExcuse(ask.offers, one, before)
        continue
      }
      expect(said.version, 'is not below what the portal pins').toBeGreaterThanOrEqual(versionOf(MINIMUM))
      expect(said.version, 'does not go down in a tab').toBeGreaterThanOrEqual(one.last?.version ?? 0)
      if (said.version === one.last?.version) {
        expect(said.sha256, 'one version has one content in a tab').toBe(one.last.sha256)
        // Said from this tab's own memory: what the store knows need not be that.
        if (this.#promise === undefined) continue
      }
      expect(said.version, 'does not go below what any tab was told').toBeGreaterThanOrEqual(before?.version ?? 0)
      const isOwnMemory = said.version === one.last?.version
      if (!isOwnMemory) {
        if (said.version === before?.version) expect(said.sha256, 'one version has one content in all tabs').toBe(before.sha256)
        this.#learn(said)
      }
      one.last = said
    }
  }

  #learn(said: Said): void {
    // A promise that nobody could keep is void; asks that ran together may have learned of different ones.
    if (!this.#isPromiseKept() || this.#promise === undefined || said.version >= this.#promise.version) this.#promise = said
    this.#places = { index: true, files: true }
    this.#rumour = Math.max(this.#rumour, said.version)
  }

  /** A number ahead of the clock is believed only beside its signed catalogue, which lies in the index. */
  #isPromiseKept(): boolean {
    if (this.#places.index) return true
    return this.#places.files && this.#rumour <= this.#machine.clock.nowSeconds + DAY
  }

  async #hear(ask: { readonly tab: number; readonly offers: readonly Offer[] }): Promise<Said | undefined> {
    const one = this.#tabs[ask.tab]
    if (one === undefined) throw new RangeError('there are three tabs')
    one.offer(ask.offers)
    try {
      const { catalogue, payloadSha256 } = await one.desk.current({ isPinned: false, tell: () => undefined }, never)
      return { version: catalogue.version, sha256: payloadSha256 }
    } catch (error) {
      if (failureOf(error)?.code.startsWith('catalogue-') !== true) throw error
      return undefined
    }
  }

  /** Nothing is refused that could be had: an honest offer that reaches every floor is no reason to fail, nor is having one already. */
  #requireExcuse(offered: readonly Offer[], one: Tab, floor: Said | undefined): void {
    const isContested = offered.some((a) => offered.some((b) => a.step === b.step && a.isTwin !== b.isTwin))
    if (isContested) return
    const lowest = Math.max(versionOf(MINIMUM), floor?.version ?? 0)
    const isKnown = one.last !== undefined && one.last.version >= Math.max(lowest, this.#rumour)
    const couldBeHad = offered.some(({ step }) => {
      const version = versionOf(step)
      // Under the version of the floor, only the floor's own content will do.
      const isAbove = floor === undefined ? version >= lowest : version > lowest
      return isAbove && version > this.#rumour && version <= this.#machine.clock.nowSeconds + DAY
    })
    expect({ isKnown, couldBeHad }, 'fails without an excuse').toEqual({ isKnown: false, couldBeHad: false })
  }

  async #kill({ tab: at, offers: offered, writes }: Extract<Event, { kind: 'kill' }>): Promise<void> {
    this.#writesLeft = writes
    this.#rumour = Math.max(this.#rumour, ...offered.map(({ step }) => versionOf(step)))
    const one = this.#tabs[at]
    if (one !== undefined) {
      one.offer(offered)
      await one.desk.current({ isPinned: false, tell: () => undefined }, never).catch((error: unknown) => {
        if (failureOf(error) === undefined) throw error
      })
    }
    this.#writesLeft = Infinity
    for (const index of this.#tabs.keys()) this.#tabs[index] = this.#open()
  }

  async #evict(place: 'index' | 'files'): Promise<void> {
    if (place === 'files') this.#files.texts.clear()
    else for (const key of await this.#machine.index.records.keys(never)) await this.#machine.index.records.remove(key, never)
    this.#places[place] = false
    if (!this.#places.index && !this.#places.files) this.#promise = undefined
  }
}

test('i03, i04: the version never goes down and has one content, over tabs, restarts, kills, evictions and wrong clocks, whatever sources offer', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 3, maxLength: 20 }), async (events) => {
      const browser = new Browser()
      for (const one of events) await browser.happen(one)
    }),
    { numRuns: RUNS },
  )
})
