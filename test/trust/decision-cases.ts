import { createPublisher, REPOSITORY_NAME, type Publisher } from '../engine/publisher.ts'
import { parseCatalogueEnvelope } from '../../src/core/manifest/parse-envelope.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { siteTrust } from '../../src/core/verify/site-trust.ts'
import { makeTrustCases, type TrustCase } from './cases.ts'
import type { Circumstances, Question } from './decision.ts'
import { policyOf } from './verdict.ts'

const DAY_SECONDS = 86_400

/** Bundles alike in what they show and in how they are judged. */
const MOST_ALIKE = process.env['SEALIFT_RUNS'] === undefined ? 2 : Infinity

/** Bundles of `cases.ts`, a few of each kind or all of them for a longer hunt, and a catalogue in all circumstances. Made anew at each call. */
export async function makeQuestions(): Promise<readonly Question[]> {
  const counts = new Map<string, number>()
  const isWanted = ({ attack, expected, signers, thresholds }: TrustCase): boolean => {
    const kind = JSON.stringify([attack, expected, signers.map((signer) => signer.kind), thresholds])
    const count = (counts.get(kind) ?? 0) + 1
    counts.set(kind, count)
    return count <= MOST_ALIKE
  }
  const bundles = (await makeTrustCases()).filter(isWanted).map((one): Question => {
    const { name, file, subject } = one
    return { kind: 'bundle', name, file, subject, policy: policyOf(one) }
  })
  return [...bundles, ...(await catalogueQuestions(await createPublisher()))]
}

async function catalogueQuestions(publisher: Publisher): Promise<readonly Question[]> {
  const { nowSeconds } = publisher
  const policy = siteTrust(publisher.trust).catalogue
  const good = await publisher.catalogue([], { graceSeconds: 2 * DAY_SECONDS })
  const sha256 = sha256Of(parseCatalogueEnvelope(good).payload)
  const usual = {
    repository: REPOSITORY_NAME,
    floor: undefined,
    minimumVersion: 0,
    nowSeconds: nowSeconds + 60,
    maxGraceSeconds: 7 * DAY_SECONDS,
  }
  const ask = (name: string, over: Partial<Circumstances>, file = good): Question => ({
    kind: 'catalogue',
    name: `a catalogue ${name}`,
    policy,
    file: new TextDecoder().decode(file),
    ...usual,
    ...over,
  })
  const after = (days: number) => ({ nowSeconds: nowSeconds + days * DAY_SECONDS })
  return [
    ask('that is fresh', {}),
    ask('that is the floor', { floor: { version: nowSeconds, sha256 } }),
    ask('above the floor', { floor: { version: nowSeconds - 1, sha256 } }),
    ask('below the floor', { floor: { version: nowSeconds + 1, sha256 } }),
    ask('that is another under the version of the floor', { floor: { version: nowSeconds, sha256: sha256Of(good) } }),
    ask('below the pinned minimum', { minimumVersion: nowSeconds + 1 }),
    ask('at the pinned minimum', { minimumVersion: nowSeconds }),
    ask('in its last second', { nowSeconds: nowSeconds + 14 * DAY_SECONDS }),
    ask('in its grace', after(15)),
    ask('in its grace, where the site allows none', { ...after(15), maxGraceSeconds: 0 }),
    ask('past its grace', after(17)),
    ask('400 days old', after(400)),
    ask('seen by a clock 400 days back', after(-400)),
    ask('of another repository', { repository: 'other' }),
    ask('of a stranger', {}, await publisher.catalogue([], {}, { identity: 'https://evil.test/release.yml' })),
    ask('that nobody signed', {}, await publisher.catalogue([], {}, 'unsigned')),
    ask('that was cut', {}, good.slice(0, -10)),
  ]
}
