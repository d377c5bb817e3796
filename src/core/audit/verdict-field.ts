import { LIMITS } from '../limits.ts'
import type { JsonField } from '../json/json-field.ts'
import type { BuildClaim, SignatureVerdict, VerifiedSigner } from '../verify/identity-policy.ts'

/** What a verified bundle said, as a record keeps it. */
export function readVerdict(field: JsonField): SignatureVerdict {
  const read = field.object([
    'signer',
    'form',
    'predicateType',
    'provenance',
    'sourceRepository',
    'sourceRef',
    'sourceDigest',
    'signedAtSeconds',
  ])
  return {
    signer: readSigner(read('signer')),
    form: read('form').oneOf(['message', 'attestation']),
    predicateType: read('predicateType').optional((item) => item.text()),
    provenance: read('provenance').optional(readBuildClaim),
    sourceRepository: read('sourceRepository').optional((item) => item.text()),
    sourceRef: read('sourceRef').optional((item) => item.text()),
    sourceDigest: read('sourceDigest').optional((item) => item.text()),
    signedAtSeconds: read('signedAtSeconds').optional((item) => item.number()),
  }
}

function readBuildClaim(field: JsonField): BuildClaim {
  const read = field.object(['builderId', 'buildType', 'sourceUri', 'sourceRef', 'sourceDigest'])
  return {
    builderId: read('builderId').text(),
    buildType: read('buildType').text(),
    sourceUri: read('sourceUri').optional((item) => item.text()),
    sourceRef: read('sourceRef').optional((item) => item.text()),
    sourceDigest: read('sourceDigest').optional((item) => item.text()),
  }
}

function readSigner(field: JsonField): VerifiedSigner {
  const read = field.object(['kind', 'identity', 'issuer', 'publicKeyPem'])
  const kind = read('kind').oneOf(['certificate', 'key'])
  if (kind === 'key') return { kind, publicKeyPem: read('publicKeyPem').text(LIMITS.siteConfigBytes) }
  return { kind, identity: read('identity').text(), issuer: read('issuer').text() }
}
