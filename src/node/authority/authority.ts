import { join } from 'node:path'
import { nowSeconds } from '../../core/clock.ts'
import type { Clock } from '../../core/ports.ts'
import { writeFileDurably } from '../durable-file.ts'
import { contentOfBytes, type Content } from '../signing/content.ts'
import type { Statement } from '../signing/statement.ts'
import { generateKeys, loadGenerations, saveGenerations, type Generation } from './state.ts'
import { encodeTrustedRoot } from './trusted-root.ts'
import { endOfCertificates, startOfCertificates, startWitnesses } from './witnesses.ts'
import { signMessage, signStatement } from './sign.ts'
import type { Claims } from './workflow.ts'

/**
 * A keyless Sigstore deployment on this machine, without network: certificate authority, its log, a signature log and a
 * timestamp authority. Whoever reads its folder can sign as anybody it vouches for: for demonstrations and tests.
 */
export interface Authority {
  /** Sigstore `trusted_root.json` as parsed JSON. It grows only when certificates are renewed, after 11 months. */
  readonly trustedRoot: Readonly<Record<string, unknown>>
  /** Where the same JSON lies as a file. */
  readonly trustedRootPath: string
  /** Bundle v0.3 over bytes: JSON with certificate, log entry and timestamp. */
  signBlob(bytes: Uint8Array, claims: Claims, signal: AbortSignal): Promise<Uint8Array>
  /** As `signBlob`, for content that does not fit in memory. */
  signContent(content: Content, claims: Claims, signal: AbortSignal): Promise<Uint8Array>
  /** Bundle v0.3 over an in-toto statement. */
  attest(statement: Statement, claims: Claims, signal: AbortSignal): Promise<Uint8Array>
}

/** Certificates last 365 days; a new generation starts while the old one still has a month. */
const RENEW_BEFORE_SECONDS = 30 * 24 * 3600

/**
 * Starts the authority that lives in `dir`, or makes it at the first start. Keys and certificates stay the same between
 * starts, so a bundle of one start verifies under the trusted root of any other.
 *
 * @param dir made when missing; its files are for this user alone
 * @param options.clock may run ahead; before the first start nothing can be signed
 * @throws {DeliveryError} `tool-missing` without @sigstore/mock, `input-invalid` when the folder holds something else
 * @example
 * const authority = await openAuthority('authority', { clock: systemClock })
 * console.log(authority.trustedRootPath)
 */
export async function openAuthority(dir: string, options: { readonly clock: Clock }): Promise<Authority> {
  const at = new Date(wholeSecond(options.clock))
  const generations = await currentGenerations(dir, at)
  const current = generations.at(-1)
  if (current === undefined) throw new RangeError('expected a generation of keys')
  const witnesses = await startWitnesses(current.keys, at, current.certificates)
  const trustedRoot = encodeTrustedRoot(generations)
  const trustedRootPath = join(dir, 'trusted_root.json')
  await writeFileDurably(trustedRootPath, JSON.stringify(trustedRoot, undefined, 2), {
    mode: 0o644,
  })
  const inTurn = createTurns(at, options.clock)
  const signBytes = (content: Content, claims: Claims, signal: AbortSignal) => inTurn(() => signMessage(witnesses, content, claims, signal))
  return {
    trustedRoot,
    trustedRootPath,
    signBlob: (bytes, claims, signal) => signBytes(contentOfBytes(bytes), claims, signal),
    signContent: signBytes,
    attest: (statement, claims, signal) => {
      signal.throwIfAborted()
      return inTurn(() => signStatement(witnesses, statement, claims))
    },
  }
}

async function currentGenerations(dir: string, at: Date): Promise<readonly Generation[]> {
  const kept = await loadGenerations(dir)
  const last = kept.at(-1)
  const now = at.getTime() / 1000
  if (last !== undefined && now < last.endsAtSeconds - RENEW_BEFORE_SECONDS) return kept
  const keys = generateKeys()
  const { certificates } = await startWitnesses(keys, at)
  const generation = {
    startsAtSeconds: startOfCertificates(certificates),
    endsAtSeconds: endOfCertificates(certificates),
    keys,
    certificates,
  }
  const generations = [...kept, generation]
  return (await saveGenerations(dir, generations)) ? generations : loadGenerations(dir)
}

/**
 * The services read one shared time, and a certificate is made in two steps that must see the same second:
 * so requests go one after the other, and time moves on between them. Whole seconds, because a timestamp's fraction
 * is written without trailing zeros and @sigstore/core reads exactly three digits or none.
 */
function createTurns(at: Date, clock: Clock): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const turn = last.then(() => {
      at.setTime(wholeSecond(clock))
      return work()
    })
    last = turn.catch(() => undefined)
    return turn
  }
}

function wholeSecond(clock: Clock): number {
  return nowSeconds(clock) * 1000
}
