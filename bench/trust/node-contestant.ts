/** One contestant in a fresh Node process. Reads a job from standard input and writes an outcome to standard output. */

import { bundleFromJSON } from '@sigstore/bundle'
import { TrustedRoot } from '@sigstore/protobuf-specs'
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify'
import { text } from 'node:stream/consumers'
import { toSha256 } from '../../src/core/model/ids.ts'
import { requirePolicy } from '../../src/core/verify/identity-policy.ts'
import { createSigstoreVerifier } from '../../src/trust/sigstore-verifier.ts'
import { measure, type SignedFile, type TrustJob } from './job.ts'

type Judge = (one: SignedFile) => Promise<void>

function ours(job: TrustJob): Judge {
  const policy = requirePolicy([{ kind: 'certificate', identity: job.identity, issuer: job.issuer }], job)
  const verifier = createSigstoreVerifier()
  return async ({ file, subject }) => void (await verifier.verify(Buffer.from(file), toSha256(subject), policy))
}

/** As its own client calls it: it hashes the artifact, and does not ask what an attestation is about. */
function stock(job: TrustJob): Judge {
  let verifier: Verifier | undefined
  return async ({ file, artifactBase64 }) => {
    verifier ??= new Verifier(toTrustMaterial(TrustedRoot.fromJSON(job.trustedRoot)), {
      tlogThreshold: 1,
      ctlogThreshold: 1,
      timestampThreshold: 1,
    })
    const entity = toSignedEntity(bundleFromJSON(JSON.parse(file)), Buffer.from(artifactBase64, 'base64'))
    verifier.verify(entity, { subjectAlternativeName: job.identity, extensions: { issuer: job.issuer } })
  }
}

const job: TrustJob = JSON.parse(await text(process.stdin))
process.stdout.write(JSON.stringify(await measure(job, process.argv[2] === 'stock' ? stock(job) : ours(job))))
