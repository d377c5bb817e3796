import type { Sha256 } from '../core/model/ids.ts'
import type { Approval, Clock, SignatureVerifier } from '../core/ports.ts'
import { sha256Of } from '../core/verify/digest.ts'
import type { SignaturePolicy } from '../core/verify/identity-policy.ts'
import type { Records } from '../stores/index-values.ts'

/** A verifier that judges nothing twice: what it once let pass, it knows, as long as nothing has changed that went into the verdict. */
export interface VerdictMemory extends SignatureVerifier {
  /** The same, with verdicts of its own for each list of withdrawn digests: a publisher who takes something back was deceived before. */
  under(denied: readonly Sha256[]): SignatureVerifier
}

export interface VerdictMemoryOptions {
  readonly records: Records
  readonly clock: Clock
  /** Which rules `inner` judges by. Under others it judges anew. */
  readonly rules: string
}

/** Newest verdicts that are kept: of one catalogue and some bundles each. */
const MOST_KEPT = 256
const KEY = 'verdict-key'
const PREFIX = 'verdict:'
const SEAL = 'HMAC'

/** Nobody waits for a verdict to be kept, and whoever asks for one waits no longer than the store's own deadlines. */
const SHARED = new AbortController().signal

/**
 * Remembers over restarts which file of bundles passed for which subject under which policy and denials, and what it said. A refusal is
 * never remembered: it would outlive the root that was wrong. Nothing here depends on the time; whether a catalogue is fresh, and what
 * provenance has to say, is asked anew each time.
 *
 * What is kept is sealed with a key that script can use and not read. That stops a bad disk and whoever only writes to the index, not a
 * script that runs here (docs/decisions/0011).
 */
export function createVerdictMemory(inner: SignatureVerifier, { records, clock, rules }: VerdictMemoryOptions): VerdictMemory {
  const under = (denied: readonly Sha256[]): SignatureVerifier => ({
    async verify(file, subject, policy) {
      const slot = await openSlot(records, verdictId({ rules, file, subject, policy, denied }))
      if (slot?.approvals !== undefined) return slot.approvals
      const approvals = await inner.verify(file, subject, policy)
      if (slot !== undefined) void keep(records, { ...slot, approvals }, clock.nowMs())
      return approvals
    },
  })
  return { ...under([]), under }
}

interface Question {
  readonly rules: string
  readonly file: Uint8Array
  readonly subject: Sha256
  readonly policy: SignaturePolicy
  readonly denied: readonly Sha256[]
}

/** Everything that a verdict depends on. */
function verdictId({ rules, file, subject, policy, denied }: Question): Sha256 {
  const under = { ...policy, trustedRoot: digestOf(policy.trustedRoot) }
  return sha256Of(utf8(JSON.stringify([rules, subject, sha256Of(file), under, digestOf(denied)])))
}

/** Roots and denials are large, and the same objects for as long as an engine lives. */
const digests = new WeakMap<object, Sha256>()

function digestOf(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json
  const digest = digests.get(json) ?? sha256Of(utf8(JSON.stringify(json)))
  digests.set(json, digest)
  return digest
}

/** Where a verdict is kept, or would be. */
interface Slot {
  readonly id: Sha256
  readonly key: CryptoKey
  /** Undefined when nothing is kept under this id. */
  readonly name: string | undefined
  readonly approvals: readonly Approval[] | undefined
}

async function openSlot(records: Records, id: Sha256): Promise<Slot | undefined> {
  try {
    const key = await sealKey(records)
    const name = (await names(records)).find((one) => one.endsWith(id))
    const kept = name === undefined ? undefined : await records.get(name, SHARED)
    const [text, seal] = Array.isArray(kept) ? kept : []
    const isOurs = seal instanceof ArrayBuffer && (await crypto.subtle.verify(SEAL, key, seal, utf8(id + text)))
    // Typed by its seal: these very rules wrote it, for this id.
    return { id, key, name, approvals: isOurs ? JSON.parse(text) : undefined }
  } catch {
    // Whatever is wrong with what is kept, the bundle itself can be asked.
    return undefined
  }
}

async function keep(records: Records, { id, key, name, approvals }: Slot, nowMs: number): Promise<void> {
  try {
    const text = JSON.stringify(approvals)
    const seal = await crypto.subtle.sign(SEAL, key, utf8(id + text))
    // In the place of one that was found altered, if there was any.
    await records.put(name ?? `${PREFIX}${nowMs}:${id}`, [text, seal], SHARED)
    for (const old of (await names(records)).slice(0, -MOST_KEPT)) await records.remove(old, SHARED)
  } catch {
    // It is judged again next time.
  }
}

/** Of all verdicts that are kept, oldest first. */
async function names(records: Records): Promise<readonly string[]> {
  return (await records.keys(SHARED)).filter((name) => name.startsWith(PREFIX)).toSorted()
}

async function sealKey(records: Records): Promise<CryptoKey> {
  const kept = await records.get(KEY, SHARED)
  if (kept instanceof CryptoKey) return kept
  const made = await crypto.subtle.generateKey({ name: SEAL, hash: 'SHA-256' }, false, ['sign', 'verify'])
  await records.put(KEY, made, SHARED)
  return made
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text)
}
