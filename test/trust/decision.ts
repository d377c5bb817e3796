/** The whole decision about a bundle or a catalogue, as plain data in and out: the same code for Node, a page and a service worker. */

import { failureOf } from '../../src/core/errors.ts'
import { acceptCatalogue, judgeFreshness, type CatalogueFloor } from '../../src/core/manifest/freshness.ts'
import { toSha256 } from '../../src/core/model/ids.ts'
import type { SignaturePolicy } from '../../src/core/verify/identity-policy.ts'
import { vouchForCatalogue } from '../../src/core/verify/vouch.ts'
import { createSigstoreVerifier } from '../../src/trust/sigstore-verifier.ts'

export type Question = { readonly name: string; readonly policy: SignaturePolicy; readonly file: string } & (
  | { readonly kind: 'bundle'; readonly subject: string }
  | ({ readonly kind: 'catalogue' } & Circumstances)
)

/** What a decision about a catalogue depends on besides its bytes and the policy. */
export interface Circumstances {
  readonly repository: string
  readonly floor: CatalogueFloor | undefined
  readonly minimumVersion: number
  readonly nowSeconds: number
  readonly maxGraceSeconds: number
}

/** One line for each question of a JSON list: what was accepted, in every fact, or the code of the refusal. */
export async function decideAll(questions: string): Promise<readonly string[]> {
  const list: readonly Question[] = JSON.parse(questions)
  const answers: string[] = []
  for (const question of list) answers.push(`${question.name}: ${JSON.stringify(await decide(question))}`)
  return answers
}

async function decide(question: Question): Promise<unknown> {
  const verifier = createSigstoreVerifier()
  const file = new TextEncoder().encode(question.file)
  try {
    if (question.kind === 'bundle') return await verifier.verify(file, toSha256(question.subject), question.policy)
    const { catalogue, payloadSha256, verdict } = await vouchForCatalogue(file, question.policy, verifier)
    acceptCatalogue({ ...question, offered: catalogue, offeredSha256: payloadSha256 })
    return { version: catalogue.version, payloadSha256, verdict, freshness: judgeFreshness(catalogue, question) }
  } catch (error) {
    return failureOf(error)?.code ?? `untyped: ${String(error)}`
  }
}
