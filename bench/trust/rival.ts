/** The browser port of sigstore-js by the Freedom of the Press Foundation, in a page. It verifies on WebCrypto. */

import { SigstoreVerifier, type TrustedRoot } from '@freedomofpress/sigstore-browser'
import { measure, type Outcome, type TrustJob } from './job.ts'

export async function run(job: TrustJob): Promise<Outcome> {
  const verifier = new SigstoreVerifier()
  let isLoaded = false
  return await measure(job, async ({ file, subject }) => {
    if (!isLoaded) await verifier.loadSigstoreRoot(structuredClone(job.trustedRoot) as TrustedRoot)
    isLoaded = true
    const digest = Uint8Array.from(subject.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
    await verifier.verifyArtifact(job.identity, job.issuer, JSON.parse(file), digest, true)
  })
}
