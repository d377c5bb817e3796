import { createHash, createPrivateKey, sign, type KeyObject } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import {
  acceptCatalogue,
  isRefreshDue,
  judgeFreshness,
  type CatalogueFloor,
  type CatalogueOffer,
} from '../../src/core/manifest/freshness.ts'
import { encodeCatalogue, parseCatalogue } from '../../src/core/manifest/parse-catalogue.ts'
import { encodeCatalogueEnvelope, parseCatalogueEnvelope, type Envelope } from '../../src/core/manifest/parse-envelope.ts'
import { CATALOGUE_MEDIA_TYPE, type Catalogue } from '../../src/core/manifest/catalogue.ts'
import type { Sha256 } from '../../src/core/model/ids.ts'
import type { SignatureVerifier } from '../../src/core/ports.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { vouchForCatalogue } from '../../src/core/verify/vouch.ts'
import { changeBytes } from './byte-changes.ts'
import type { Judgement, Target } from './campaign.ts'
import type { CatalogueCorpus } from './catalogue-corpus.ts'
import { chanceOf, type Chance } from './chance.ts'
import { changeJsonText } from './json-changes.ts'
import { policyOf, refusalCode } from './verdicts.ts'

interface CatalogueInput {
  /** A payload to parse; an envelope to open; an envelope to believe; one to believe whose payload its signer changed. */
  readonly kind: 'payload' | 'envelope' | 'vouch' | 'resigned'
  /** In base64, since not all of it is text. */
  readonly bytes: string
  /** In base64: what was signed by somebody who may, if that is none of the corpus. */
  readonly signed?: string | undefined
  readonly floor: CatalogueFloor | undefined
  readonly minimumVersion: number
}

const REFUSALS: ReadonlySet<string> = new Set([
  'format-invalid',
  'format-oversized',
  'format-unsupported',
  'signature-missing',
  'bundle-invalid',
  'signature-invalid',
  'identity-mismatch',
  'subject-mismatch',
  'provenance-refused',
  'catalogue-repository',
  'catalogue-future',
  'catalogue-rollback',
  'catalogue-equivocation',
  'catalogue-expired',
])
const A_DAY = 86_400

/**
 * Damaged catalogues, before and behind their signature. Each is refused with a code that is meant for it, or its payload is
 * byte for byte what somebody signed who may. What parses survives its own encoding, and no floor goes down.
 */
export function createCatalogueTarget(corpus: CatalogueCorpus, seed: number, verifier: SignatureVerifier): Target {
  const policy = policyOf(corpus.policy)
  const keys = { publisher: createPrivateKey(corpus.publisherKey), stranger: createPrivateKey(corpus.strangerKey) }
  const genuine = new Set(corpus.payloads.map((text) => Buffer.from(text).toString('base64')))
  return {
    genuine: [...corpus.keyed, ...corpus.certified].map(whole),
    input: (index) => inputOf(corpus, keys, chanceOf(seed, index)),
    async judge(given) {
      const input = given as CatalogueInput
      const bytes = Uint8Array.from(Buffer.from(input.bytes, 'base64'))
      try {
        if (input.kind === 'envelope') {
          const envelope = parseCatalogueEnvelope(bytes)
          return () => refusable(() => checkEnvelope(envelope))
        }
        if (input.kind === 'payload') {
          const catalogue = parseCatalogue(bytes)
          return () => refusable(() => checkCatalogue(catalogue, { payload: bytes, input, corpus }))
        }
        const { payload, catalogue } = await vouchForCatalogue(bytes, policy, verifier)
        const text = Buffer.from(payload).toString('base64')
        if (text !== input.signed && !genuine.has(text)) return { kind: 'wrong-accept', detail: 'a payload that nobody signed' }
        return () => refusable(() => checkCatalogue(catalogue, { payload, input, corpus }))
      } catch (error) {
        return judgeRefusal(error)
      }
    },
  }
}

function refusable(check: () => Judgement): Judgement {
  try {
    return check()
  } catch (error) {
    return judgeRefusal(error)
  }
}

function judgeRefusal(error: unknown): Judgement {
  const code = refusalCode(error)
  if (code !== undefined && REFUSALS.has(code)) return { kind: 'refused', code }
  return { kind: 'uncaught', detail: code ?? String((error as Error | undefined)?.stack ?? error) }
}

function checkEnvelope(envelope: Envelope): Judgement {
  const again = parseCatalogueEnvelope(encodeCatalogueEnvelope(envelope))
  if (isDeepStrictEqual(again, envelope)) return { kind: 'accepted' }
  return { kind: 'wrong-accept', detail: 'an envelope that its own encoding changes' }
}

function checkCatalogue(
  catalogue: Catalogue,
  { payload, input, corpus }: { readonly payload: Uint8Array; readonly input: CatalogueInput; readonly corpus: CatalogueCorpus },
): Judgement {
  const encoded = encodeCatalogue(catalogue)
  const again = parseCatalogue(encoded)
  if (!isDeepStrictEqual(again, catalogue)) return { kind: 'wrong-accept', detail: 'a catalogue that its own encoding changes' }
  if (!isDeepStrictEqual(encodeCatalogue(again), encoded)) return { kind: 'wrong-accept', detail: 'a catalogue with two encodings' }
  const { repository, nowSeconds } = corpus
  const { floor, minimumVersion } = input
  const offer = { offered: catalogue, offeredSha256: sha256Of(payload), floor, minimumVersion, repository, nowSeconds }
  const flaw = flawOf(offer)
  isRefreshDue(catalogue, nowSeconds)
  try {
    acceptCatalogue(offer)
  } catch (error) {
    if (flaw === undefined) return { kind: 'wrong-accept', detail: `refused without a reason: ${String(error)}` }
    throw error
  }
  if (flaw !== undefined) return { kind: 'wrong-accept', detail: `accepted, and it is ${flaw}` }
  judgeFreshness(catalogue, { nowSeconds, maxGraceSeconds: A_DAY })
  return { kind: 'accepted' }
}

/** What is wrong with taking it, said again and apart from the product. */
function flawOf({ offered, offeredSha256, floor, minimumVersion, repository, nowSeconds }: CatalogueOffer): string | undefined {
  if (offered.repository !== repository) return 'of another repository'
  if (offered.version < minimumVersion) return 'below what the portal pins'
  if (floor !== undefined && offered.version < floor.version) return 'below the floor'
  if (floor !== undefined && offered.version === floor.version && offeredSha256 !== floor.sha256) return 'another one of the same version'
  const isKnown = floor !== undefined && offered.version <= floor.version
  return !isKnown && offered.version > nowSeconds + A_DAY ? 'from the future' : undefined
}

function inputOf(
  corpus: CatalogueCorpus,
  keys: { readonly publisher: KeyObject; readonly stranger: KeyObject },
  chance: Chance,
): CatalogueInput {
  const limits = limitsOf(corpus, chance)
  const kind = chance.below(100)
  if (kind < 45)
    return { kind: 'payload', bytes: changeDocument(chance.pick(corpus.payloads), chance.pick(corpus.payloads), chance), ...limits }
  if (kind < 97) {
    const served = chance.oneIn(50) ? corpus.certified : chance.oneIn(4) ? corpus.donors : corpus.keyed
    const bytes = changeDocument(chance.pick(served), chance.pick(chance.oneIn(2) ? corpus.donors : corpus.keyed), chance)
    return { kind: kind < 87 ? 'envelope' : 'vouch', bytes, ...limits }
  }
  const payload = Buffer.from(changeDocument(chance.pick(corpus.payloads), chance.pick(corpus.payloads), chance), 'base64')
  const isOurs = !chance.oneIn(3)
  const bytes = Buffer.from(envelopeOf(payload, isOurs ? keys.publisher : keys.stranger)).toString('base64')
  return { kind: 'resigned', bytes, signed: isOurs ? payload.toString('base64') : undefined, ...limits }
}

function whole(served: string): CatalogueInput {
  return { kind: 'vouch', bytes: Buffer.from(served).toString('base64'), floor: undefined, minimumVersion: 0 }
}

function limitsOf(
  corpus: CatalogueCorpus,
  chance: Chance,
): { readonly floor: CatalogueFloor | undefined; readonly minimumVersion: number } {
  const text = chance.pick(corpus.payloads)
  const { version } = JSON.parse(text) as { readonly version: number }
  const sha256 = chance.oneIn(2) ? sha256Of(Buffer.from(text)) : sha256Of(Buffer.from('another'))
  const floor = { version: version + chance.pick([0, 0, 1, -1, A_DAY + 2000, -A_DAY]), sha256: sha256 satisfies Sha256 }
  return { floor: chance.oneIn(3) ? undefined : floor, minimumVersion: chance.pick([0, version, version + 1]) }
}

function changeDocument(text: string, donor: string, chance: Chance): string {
  if (chance.oneIn(2000)) return Buffer.concat([Buffer.from(text), Buffer.alloc(2 * 1024 * 1024, ' ')]).toString('base64')
  if (chance.oneIn(6)) return changeBytes(Buffer.from(text), chance).toString('base64')
  return Buffer.from(changeJsonText(text, donor, chance)).toString('base64')
}

/** Signed as a publisher with a key does it: no certificate, no witness. */
function envelopeOf(payload: Buffer, key: KeyObject): string {
  const bundle = {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint: 'key' } },
    messageSignature: {
      messageDigest: { algorithm: 'SHA2_256', digest: createHash('sha256').update(payload).digest('base64') },
      signature: sign('sha256', payload, key).toString('base64'),
    },
  }
  return JSON.stringify({ mediaType: CATALOGUE_MEDIA_TYPE, payload: payload.toString('base64'), signatures: [{ bundle }] })
}
