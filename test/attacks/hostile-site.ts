import { expect, onTestFinished, vi } from 'vitest'
import type { AuditRecord } from '../../src/core/audit/record.ts'
import type { Failure } from '../../src/core/errors.ts'
import type { SiteConfig } from '../../src/core/manifest/site-config.ts'
import type { Sha256 } from '../../src/core/model/ids.ts'
import type { Engine } from '../../src/engine/compose.ts'
import type { DeliveryEvent } from '../../src/core/wire/delivery-event.ts'
import type { Delivered } from '../../src/engine/deliver.ts'
import { startFaultOrigin, type FaultOrigin } from '../fakes/fault-origin.ts'
import { auditOf, bytesOf, createMachine, deliver, failureOfDelivery, LATEST, never, type Machine } from '../engine/machine.ts'
import { createPublisher, type Publisher, type Release } from '../engine/publisher.ts'
import { ANY_PROVENANCE } from '../../src/core/verify/provenance-policy.ts'
import { newKey, publicPem, type SignOptions } from '../trust/offline-sigstore.ts'

/** Signs with a key alone: what happens to bytes does not depend on who signed them, and this is verified in a moment. */
export async function createKeyPublisher(): Promise<Publisher> {
  const publisher = await createPublisher()
  const key = newKey()
  const signing: SignOptions = { key, witness: 'none' }
  const signers = [{ kind: 'key', publicKeyPem: publicPem(key) }] as const
  return {
    ...publisher,
    trust: { ...publisher.trust, catalogueSigners: signers, artifactSigners: signers, provenance: ANY_PROVENANCE },
    release: async (bytes, options) => publisher.release(bytes, { bundles: [await publisher.sign(bytes, signing)], ...options }),
    catalogue: (releases, over, sign = signing) => publisher.catalogue(releases, over, sign),
  }
}

/** One release, an origin that attacks and one that does not, over real HTTP, and a machine that never was there. */
export interface HostileSite {
  readonly evil: FaultOrigin
  readonly honest: FaultOrigin
  readonly machine: HastyMachine
  /** The engine of a tab that knows these origins, in this order. */
  start(...origins: readonly FaultOrigin[]): Engine
}

/** @param releases what both origins serve: their blobs, and a catalogue of them */
export async function openHostileSite(publisher: Publisher, releases: readonly Release[]): Promise<HostileSite> {
  const catalogue = await publisher.catalogue(releases)
  const blobs = releases.flatMap((release) => release.blobs)
  const [evil, honest] = [await startFaultOrigin({ blobs, catalogue }), await startFaultOrigin({ blobs, catalogue })]
  onTestFinished(async () => {
    await evil.close()
    await honest.close()
  })
  const machine = hasteningMachine(publisher)
  const idOf = (origin: FaultOrigin): string => (origin === evil ? 'evil' : 'honest')
  const start: HostileSite['start'] = (...origins) => {
    const config: Partial<SiteConfig> = { origins: origins.map((origin) => ({ id: idOf(origin), url: origin.baseUrl })) }
    return machine.start([], config)
  }
  return { evil, honest, machine, start }
}

/** What a record has to say of the origin that attacks. */
export interface Misdeed {
  readonly code: Failure['code']
  readonly detail?: string
}

/** Where one blob lies, and nothing else. */
export function pathOf(sha256: Sha256): RegExp {
  return new RegExp(`^/by-hash/sha256/${sha256}$`)
}

/** An honest source is there: the file is right, and the record says what the other one did. */
export async function expectSurvived(engine: Engine, bytes: Uint8Array, failure?: Misdeed): Promise<Delivered> {
  const delivered = await deliver(engine)
  expect(Buffer.from(await bytesOf(delivered.blob)).equals(bytes)).toBe(true)
  if (failure !== undefined) expectNamed(delivered.record, failure)
  return delivered
}

/** A machine whose timers can be made to run a hundred times faster: giving up on the last source takes a minute and a half. */
function hasteningMachine(publisher: Publisher): HastyMachine {
  const machine = createMachine(publisher)
  const { monotonicMs, sleep } = machine.clock
  let [fromMs, atMs, speed] = [monotonicMs(), monotonicMs(), 1]
  Object.assign(machine.clock, {
    monotonicMs: () => atMs + (monotonicMs() - fromMs) * speed,
    sleep: (ms: number, signal: AbortSignal) => sleep(ms / speed, signal),
  })
  const hurry = (): void => {
    ;[atMs, fromMs, speed] = [machine.clock.monotonicMs(), monotonicMs(), 100]
  }
  return Object.assign(machine, { hurry })
}

interface HastyMachine extends Machine {
  hurry(): void
}

/** No honest source is there: nothing comes out, nothing can be read afterwards, and the record says who it was. */
export async function expectRefused(
  { machine, engine, sha256 }: { readonly machine: HastyMachine; readonly engine: Engine; readonly sha256: Sha256 },
  code: Failure['code'],
  failure: Misdeed,
): Promise<void> {
  const seen = new Set<DeliveryEvent['kind']>()
  const onEvent = (event: DeliveryEvent): void => {
    seen.add(event.kind)
    // Documents come first, and are judged by the usual clock.
    if (seen.has('trouble') && seen.has('signed')) machine.hurry()
  }
  expect(await failureOfDelivery(engine.deliver(LATEST, onEvent, never))).toMatchObject({ code })
  expect(await machine.stores.lookups.findVerified(sha256, never)).toBeUndefined()
  const [record] = await auditOf(engine)
  if (record === undefined) throw new Error('there is no record')
  expect(record.outcome.kind).not.toBe('delivered')
  expectNamed(record, failure)
}

function expectNamed(record: AuditRecord, failure: Misdeed): void {
  expect(record.sources.find(({ source }) => source === 'evil')?.failures[0]).toMatchObject(failure)
}

/** Counts the bytes that anybody takes out of the bodies of answers, after their content encoding was undone. */
export function countReadBytes(): { readonly of: (url: string | RegExp) => number } {
  const real = globalThis.fetch
  const counts = new Map<string, number>()
  const spy = vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const url = input instanceof Request ? input.url : input.toString()
    const response = await real(input, init)
    const reader = response.body?.getReader()
    if (reader === undefined) return response
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { done, value } = await reader.read()
          if (done) return controller.close()
          counts.set(url, (counts.get(url) ?? 0) + value.length)
          controller.enqueue(value)
        },
        cancel: (reason) => reader.cancel(reason),
      },
      { highWaterMark: 0 },
    )
    return new Response(body, { status: response.status, headers: response.headers })
  })
  onTestFinished(() => spy.mockRestore())
  return {
    of: (wanted) => [...counts].reduce((sum, [url, bytes]) => (url.search(wanted) === -1 ? sum : sum + bytes), 0),
  }
}
