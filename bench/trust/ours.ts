/** Our verifier in a browser: in a page by name (`ours.run`), in a worker or a service worker by message. */

import { toSha256 } from '../../src/core/model/ids.ts'
import type { SignatureVerifier } from '../../src/core/ports.ts'
import { requirePolicy, type SignaturePolicy } from '../../src/core/verify/identity-policy.ts'
import { systemClock } from '../../src/engine/system-clock.ts'
import { createVerdictMemory } from '../../src/engine/verdict-memory.ts'
import { openIndex } from '../../src/stores/index-db.ts'
import { createSigstoreVerifier, VERIFIER_RULES } from '../../src/trust/sigstore-verifier.ts'
import { measure, type Outcome, type SignedFile, type TrustJob } from './job.ts'

const never = new AbortController().signal

export async function run(job: TrustJob): Promise<Outcome> {
  return await measure(job, judgeWith(createSigstoreVerifier(), job))
}

/** As an engine does it at a start: what an earlier page of this origin found is in its index. */
export async function runRemembering(job: TrustJob): Promise<Outcome & { readonly judged: number }> {
  const inner = createSigstoreVerifier()
  let judged = 0
  const counting: SignatureVerifier = {
    async verify(...given) {
      judged++
      return await inner.verify(...given)
    },
  }
  const { records } = await openIndex(never)
  const outcome = await measure(job, judgeWith(createVerdictMemory(counting, { records, clock: systemClock, rules: VERIFIER_RULES }), job))
  const isKept = async (): Promise<boolean> =>
    (await records.keys(never)).filter((name) => name.startsWith('verdict:')).length >= job.bundles.length
  while (!(await isKept())) await systemClock.sleep(10, never)
  return { ...outcome, judged }
}

function judgeWith(verifier: SignatureVerifier, job: TrustJob): (one: SignedFile) => Promise<void> {
  const policy: SignaturePolicy = requirePolicy([{ kind: 'certificate', identity: job.identity, issuer: job.issuer }], job)
  return async ({ file, subject }) => {
    await verifier.verify(new TextEncoder().encode(file), toSha256(subject), policy)
  }
}

// A page sends its job with a port to answer on; to a page itself nobody does.
globalThis.addEventListener('message', (event: MessageEvent<TrustJob>) => {
  const [port] = event.ports
  if (port !== undefined) void run(event.data).then((outcome) => port.postMessage(outcome))
})
