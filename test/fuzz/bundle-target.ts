import type { SignatureVerifier } from '../../src/core/ports.ts'
import type { SignatureVerdict, VerifiedSigner } from '../../src/core/verify/identity-policy.ts'
import type { BundleCorpus } from './bundle-corpus.ts'
import type { Judgement, Target } from './campaign.ts'
import { chanceOf, type Chance } from './chance.ts'
import { changeBytes } from './byte-changes.ts'
import { changeJsonText, changeText } from './json-changes.ts'
import { policyOf, refusalCode, verdictsOf, type PolicyFacts } from './verdicts.ts'

interface BundleInput {
  /** In base64, since not all of it is text. */
  readonly file: string
  readonly subject: string
  readonly policy: PolicyFacts
}

const REFUSALS: ReadonlySet<string> = new Set([
  'bundle-invalid',
  'signature-invalid',
  'identity-mismatch',
  'subject-mismatch',
  'provenance-refused',
  'format-oversized',
])
/** What else a damaged policy may be refused with. */
const POLICY_REFUSALS: ReadonlySet<string> = new Set(['policy-missing', 'config-invalid', 'format-invalid', 'format-unsupported'])

/**
 * Damaged and spliced bundles. Each is refused with a code that is meant for it, or says what the genuine bundles say: the same
 * signer, claim and source, and a time that a witness of theirs vouched for. Nothing is ever accepted for another digest.
 */
export async function createBundleTarget(corpus: BundleCorpus, seed: number, verifier: SignatureVerifier): Promise<Target> {
  const policy = policyOf(corpus.policy)
  const truths = await learnTruths(corpus, verifier)
  return {
    parts: (input) => partsOf(input as BundleInput, corpus),
    genuine: corpus.genuine.map((text) => whole(text, corpus)),
    input: (index) => inputOf(corpus, chanceOf(seed, index)),
    async judge(input) {
      const { file, subject, policy: facts } = input as BundleInput
      const isDamaged = facts !== corpus.policy
      try {
        const verdicts = await verdictsOf(verifier, Buffer.from(file, 'base64'), { subject, policy: isDamaged ? policyOf(facts) : policy })
        const told = isDamaged
          ? verdicts.map((verdict) => ({ ...verdict, signer: undamaged(verdict.signer, facts, corpus.policy) }))
          : verdicts
        return judgeVerdicts(told, { isForeign: subject !== corpus.subject, truths })
      } catch (error) {
        return judgeRefusal(error, isDamaged)
      }
    },
  }
}

/** For each thing that a genuine bundle says, the times it may be said of. */
type Truths = ReadonlyMap<string, ReadonlySet<number | undefined>>

/** A witness taken away changes the time, and only the time: what is left still proves another. */
async function learnTruths(corpus: BundleCorpus, verifier: SignatureVerifier): Promise<Truths> {
  const truths = new Map<string, Set<number | undefined>>()
  const policy = policyOf(corpus.policy)
  for (const text of corpus.genuine) {
    const said = await verdictsOf(verifier, Buffer.from(text), { subject: corpus.subject, policy })
    const without = [
      /"inclusionPromise":\{[^}]*\},/g,
      /"tlogEntries":\[.*?\],(?="timestamp)/g,
      /,"timestampVerificationData":\{.*?\}(?=\})/g,
    ]
    const lesser = await Promise.all(
      without.map((part) =>
        verdictsOf(verifier, Buffer.from(text.replaceAll(part, '')), { subject: corpus.subject, policy }).catch(() => []),
      ),
    )
    for (const verdict of [...said, ...lesser.flat()]) {
      const times = truths.get(withoutTime(verdict)) ?? new Set()
      truths.set(withoutTime(verdict), times.add(verdict.signedAtSeconds))
      // A key needs no witness, so all of them may be taken away.
      if (verdict.signer.kind === 'key') times.add(undefined)
    }
  }
  if (corpus.innocent.some((signer) => [...truths.keys()].some((truth) => truth.includes(signer))))
    throw new TypeError('an innocent signed')
  return truths
}

function judgeVerdicts(
  verdicts: readonly SignatureVerdict[],
  { isForeign, truths }: { readonly isForeign: boolean; readonly truths: Truths },
): Judgement {
  const lie = verdicts.find((verdict) => isForeign || truths.get(withoutTime(verdict))?.has(verdict.signedAtSeconds) !== true)
  if (verdicts.length > 0 && lie === undefined) return { kind: 'accepted' }
  return { kind: 'wrong-accept', detail: isForeign ? 'for a digest that nobody signed' : JSON.stringify(lie ?? 'no verdict') }
}

function judgeRefusal(error: unknown, isDamaged: boolean): Judgement {
  const code = refusalCode(error)
  if (code !== undefined && (REFUSALS.has(code) || (isDamaged && POLICY_REFUSALS.has(code)))) return { kind: 'refused', code }
  return { kind: 'uncaught', detail: code ?? String((error as Error | undefined)?.stack ?? error) }
}

/** The signer that the damaged one was: a key may be spelled otherwise and still be the same. */
function undamaged(signer: VerifiedSigner, damaged: PolicyFacts, good: PolicyFacts): VerifiedSigner {
  if (signer.kind !== 'key') return signer
  const place = damaged.signers.findIndex((other) => other.kind === 'key' && other.publicKeyPem === signer.publicKeyPem)
  const original = good.signers[place]
  return original?.kind === 'key' ? { ...signer, publicKeyPem: original.publicKeyPem } : signer
}

function withoutTime(verdict: SignatureVerdict): string {
  return JSON.stringify({ ...verdict, signedAtSeconds: undefined })
}

function inputOf(corpus: BundleCorpus, chance: Chance): BundleInput {
  const isForeign = chance.oneIn(8)
  const text = chance.pick(isForeign ? corpus.forged : chance.oneIn(8) ? corpus.donors : corpus.genuine)
  const donor = chance.pick(chance.oneIn(2) ? corpus.donors : corpus.genuine)
  const subject = isForeign ? corpus.foreign : corpus.subject
  if (chance.oneIn(32)) return { file: Buffer.from(text).toString('base64'), subject, policy: damagePolicy(corpus.policy, chance) }
  return { file: changeBundle(text, donor, chance).toString('base64'), subject, policy: corpus.policy }
}

/** A policy is the site's own, and how long it takes its own choice: a root may name any number of authorities. */
function partsOf({ file, policy }: BundleInput, corpus: BundleCorpus): number {
  return policy === corpus.policy ? Buffer.from(file, 'base64').toString().split('\n{').length : Number.POSITIVE_INFINITY
}

function whole(text: string, { subject, policy }: BundleCorpus): BundleInput {
  return { file: Buffer.from(text).toString('base64'), subject, policy }
}

function changeBundle(text: string, donor: string, chance: Chance): Buffer {
  if (chance.oneIn(400)) return Buffer.concat([Buffer.from(text), Buffer.alloc(262_144, ' ')])
  if (chance.oneIn(10)) return changeBytes(Buffer.from(text), chance)
  const lines = text.trim().split('\n')
  const at = chance.below(lines.length)
  const changed = chance.oneIn(10) ? changeText(text, chance) : changeJsonText(lines[at] ?? '', donor.split('\n')[0] ?? '', chance)
  if (chance.oneIn(12))
    return Buffer.from(chance.pick([`${changed}\n${donor}`, `${donor}\n${changed}`, `[${changed}]`, `${changed}\n`.repeat(3)]))
  return Buffer.from(lines.length > 1 ? lines.with(at, changed).join('\n') : changed)
}

/** Whoever writes a policy may err; whoever sends a trusted root may do worse. */
function damagePolicy({ signers, trustedRoot }: PolicyFacts, chance: Chance): PolicyFacts {
  const text = JSON.stringify(trustedRoot)
  if (chance.oneIn(2)) {
    const changed = changeJsonText(text, text, chance)
    try {
      return { signers, trustedRoot: JSON.parse(changed) as unknown }
    } catch {
      // The text itself was damaged, and a root arrives parsed: then it is that text.
      return { signers, trustedRoot: changed }
    }
  }
  const at = chance.below(signers.length)
  const damaged = signers.map((signer, i) => {
    if (i !== at || signer.kind !== 'key') return signer
    return { ...signer, publicKeyPem: changeBytes(Buffer.from(signer.publicKeyPem), chance).toString('latin1') }
  })
  return { signers: damaged, trustedRoot }
}
