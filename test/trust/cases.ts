/** Bundles and policies with the verdict that each must get, in Node and in browsers alike. All of it plain data. */

import { p256 } from '@noble/curves/nist.js'
import type { Signer, Thresholds } from '../../src/core/verify/identity-policy.ts'
import {
  createOfflineSigstore,
  IDENTITY,
  ISSUER,
  newEd25519Key,
  newKey,
  newRsaKey,
  provenanceAbout,
  publicPem,
  sha256,
  type BundleJson,
  type KeyPair,
  type OfflineSigstore,
  type SignOptions,
} from './offline-sigstore.ts'
import { policyRows } from './policy-rows.ts'
import { replaceBytes } from './reissue.ts'
import { ARTIFACT, type Row, type TrustCase } from './trust-case.ts'

export { ARTIFACT, type TrustCase } from './trust-case.ts'

export const CERTIFICATE_SIGNER: Signer = { kind: 'certificate', identity: IDENTITY, issuer: ISSUER }
const OTHER = Buffer.from('another artifact')

const CODE_SIGNING = Buffer.from('2b06010505070303', 'hex')
const CLIENT_AUTH = Buffer.from('2b06010505070302', 'hex')
const THRESHOLDS: Thresholds = { log: 1, sct: 1, timestamp: 1 }

/** Made anew at each call, with new keys: about a second. */
export async function makeTrustCases(): Promise<readonly TrustCase[]> {
  const sigstore = await createOfflineSigstore()
  const rows = [
    ...(await certificateRows(sigstore)),
    ...(await identityRows(sigstore)),
    ...(await attestationRows(sigstore)),
    ...(await keyRows(sigstore)),
    ...(await otherKeyRows(sigstore)),
    ...(await formatRows(sigstore)),
    ...(await rootRows(sigstore)),
    ...(await policyRows(sigstore)),
    ...(await editedCertificateRows()),
    ...(await alteredSignatureRows(sigstore)),
  ]
  return rows.map(({ bundle, ...row }) => ({
    subject: hex(ARTIFACT),
    signers: [CERTIFICATE_SIGNER],
    thresholds: THRESHOLDS,
    trustedRoot: sigstore.trustedRoot,
    ...row,
    file: typeof bundle === 'string' ? bundle : JSON.stringify(bundle),
  }))
}

async function certificateRows(sigstore: OfflineSigstore): Promise<readonly Row[]> {
  const bundle = await sigstore.signBlob(ARTIFACT)
  const logged = await sigstore.signBlob(ARTIFACT, { witness: 'log' })
  const unwitnessed = await sigstore.signBlob(ARTIFACT, { witness: 'none' })
  const none = { log: 0, sct: 0, timestamp: 0 }
  return [
    { name: 'a signed file with a log entry and a timestamp', bundle, expected: 'accepted' },
    { name: 'a signed file whose only time is the log entry', bundle: logged, expected: 'accepted' },
    { name: 'two verified times where two are asked for', bundle, thresholds: { ...THRESHOLDS, timestamp: 2 }, expected: 'accepted' },
    {
      name: 'one verified time where two are asked for',
      bundle: logged,
      thresholds: { ...THRESHOLDS, timestamp: 2 },
      expected: 'signature-invalid',
    },
    { name: 'one log entry where two are asked for', bundle, thresholds: { ...THRESHOLDS, log: 2 }, expected: 'signature-invalid' },
    { name: 'one certificate log where two are asked for', bundle, thresholds: { ...THRESHOLDS, sct: 2 }, expected: 'signature-invalid' },
    {
      name: 'a certificate with no verified time, even when none is asked for',
      bundle: unwitnessed,
      thresholds: none,
      expected: 'signature-invalid',
    },
    { name: 'thresholds that are no numbers', bundle, thresholds: { ...THRESHOLDS, log: Number.NaN }, expected: 'config-invalid' },
    { name: 'a time of the log that the log did not sign', bundle: unsignedTime(logged), expected: 'signature-invalid' },
    { name: 'the bundle of another file', bundle, subject: hex(OTHER), expected: 'subject-mismatch' },
    {
      name: 'another digest written into the bundle',
      bundle: withDigest(bundle, OTHER),
      subject: hex(OTHER),
      expected: 'signature-invalid',
    },
    {
      name: 'the signature of another file',
      bundle: withSignatureOf(bundle, await sigstore.signBlob(OTHER)),
      expected: 'signature-invalid',
    },
    {
      name: 'the witnesses of another signature',
      bundle: withWitnessesOf(bundle, await sigstore.signBlob(ARTIFACT)),
      expected: 'signature-invalid',
    },
    {
      name: 'the timestamp of another signature',
      bundle: withTimestampOf(bundle, await sigstore.signBlob(ARTIFACT)),
      expected: 'signature-invalid',
    },
    {
      name: 'a log entry with the signed root of another tree',
      bundle: withTreeOf(bundle, await sigstore.signBlob(ARTIFACT)),
      expected: 'signature-invalid',
    },
    {
      name: 'the log entry of another signature',
      bundle: withWitnessesOf(logged, await sigstore.signBlob(ARTIFACT, { witness: 'log' })),
      expected: 'signature-invalid',
    },
    {
      name: 'a log entry that says another digest',
      bundle: await sigstore.signBlob(ARTIFACT, { loggedDigest: sha256(OTHER) }),
      expected: 'signature-invalid',
    },
    {
      name: 'a log entry of an envelope that says another digest',
      bundle: await sigstore.signBlob(ARTIFACT, { loggedAs: 'dsse', loggedDigest: sha256(OTHER) }),
      expected: 'signature-invalid',
    },
    { name: 'a message digest of SHA-512', bundle: withAlgorithm(bundle, 'SHA2_512'), expected: 'bundle-invalid' },
    { name: 'a message digest of no named kind', bundle: withAlgorithm(bundle, 'HASH_ALGORITHM_UNSPECIFIED'), expected: 'bundle-invalid' },
  ]
}

/** Names that look like the wanted one to an eye, a pattern or a prefix test. */
async function identityRows(sigstore: OfflineSigstore): Promise<readonly Row[]> {
  const lookAlikes: Readonly<Record<string, SignOptions>> = {
    'a prefix before it': { identity: `https://evil.test/?${IDENTITY}` },
    'a suffix after it': { identity: `${IDENTITY}-evil` },
    'only its beginning': { identity: IDENTITY.slice(0, -1) },
    'a line feed after it': { identity: `${IDENTITY}\n` },
    'another letter where a pattern has a dot': { identity: IDENTITY.replace('github.com', 'githubxcom') },
    'another ref': { identity: IDENTITY.replace('v1.2.3', 'v1.2.4') },
    'a branch instead of a tag': { identity: IDENTITY.replace('refs/tags/v1.2.3', 'refs/heads/main') },
    'another repository': { identity: IDENTITY.replace('acme/agent', 'acme/agent2') },
    'another owner': { identity: IDENTITY.replace('acme/', 'acrne/') },
    'another workflow': { identity: IDENTITY.replace('release.yml', 'test.yml') },
    'capital letters': { identity: IDENTITY.toUpperCase() },
    'percent encoding': { identity: IDENTITY.replace('agent', '%61gent') },
    'a trailing slash': { identity: `${IDENTITY}/` },
    'http instead of https': { identity: IDENTITY.replace('https', 'http') },
    'the issuer and the identity exchanged': { identity: ISSUER, issuer: IDENTITY },
    'the wanted issuer only in the older place': { issuer: 'https://evil.test', rawIssuer: ISSUER },
    'another issuer': { issuer: 'https://accounts.google.com' },
    'an issuer with a suffix': { issuer: `${ISSUER}.evil.test` },
    'an issuer with a path': { issuer: `${ISSUER}/acme` },
    'an issuer in capital letters': { issuer: ISSUER.toUpperCase() },
  }
  const rows: Row[] = []
  for (const [name, options] of Object.entries(lookAlikes)) {
    const bundle = await sigstore.signBlob(ARTIFACT, options)
    rows.push({ name: `an identity with ${name}`, attack: 'look-alike', bundle, expected: 'identity-mismatch' })
  }
  const bundle = await sigstore.signBlob(ARTIFACT)
  const patterns: Readonly<Record<string, Partial<{ identity: string; issuer: string }>>> = {
    'matches everything': { identity: '.*' },
    'is a prefix': { identity: 'https://github.com/acme/' },
    'is empty': { identity: '' },
    'has dots for letters': { identity: IDENTITY.replace('agent', 'a.ent') },
    'has an issuer that is a pattern': { issuer: 'https://.*' },
    'has an empty issuer': { issuer: '' },
  }
  for (const [name, wanted] of Object.entries(patterns)) {
    const signers: readonly Signer[] = [{ kind: 'certificate', identity: IDENTITY, issuer: ISSUER, ...wanted }]
    rows.push({ name: `a policy whose identity ${name}`, attack: 'look-alike', bundle, signers, expected: 'identity-mismatch' })
  }
  const stranger: Signer = { kind: 'certificate', identity: 'https://github.com/other', issuer: ISSUER }
  const keyed: Signer = { kind: 'key', publicKeyPem: publicPem(newKey()) }
  return [
    ...rows,
    { name: 'the second of several signers', bundle, signers: [stranger, CERTIFICATE_SIGNER], expected: 'accepted' },
    { name: 'a certificate where a key or a certificate may sign', bundle, signers: [keyed, CERTIFICATE_SIGNER], expected: 'accepted' },
    { name: 'none of several signers', bundle, signers: [stranger, keyed], expected: 'identity-mismatch' },
    {
      name: 'the identity of one signer with the issuer of another',
      attack: 'look-alike',
      bundle,
      signers: [
        { kind: 'certificate', identity: IDENTITY, issuer: 'https://other.test' },
        { kind: 'certificate', identity: 'https://github.com/other', issuer: ISSUER },
      ],
      expected: 'identity-mismatch',
    },
  ]
}

async function attestationRows(sigstore: OfflineSigstore): Promise<readonly Row[]> {
  const about = provenanceAbout(ARTIFACT)
  const attest = (changed: object, options?: SignOptions) => sigstore.attest({ ...about, ...changed }, options)
  const subject = (sha256: unknown) => ({ subject: [{ name: 'agent', digest: { sha256 } }] })
  const bundle = await attest({})
  return [
    { name: 'an attestation about the file', bundle, expected: 'accepted' },
    {
      name: 'an attestation of the older statement version',
      bundle: await attest({ _type: 'https://in-toto.io/Statement/v0.1' }),
      expected: 'accepted',
    },
    {
      name: 'an attestation about several files',
      bundle: await attest({ subject: [...subject(hex(OTHER)).subject, ...subject(hex(ARTIFACT)).subject] }),
      expected: 'accepted',
    },
    ...(await Promise.all(
      Object.entries(statementsThatDoNotVouch(about)).map(async ([name, changed]): Promise<Row> => ({
        name,
        attack: 'other-subject',
        bundle: await attest(changed),
        expected: 'provenance-refused',
      })),
    )),
    {
      name: 'JSON Lines of a failed verification and of a provenance',
      bundle: `${JSON.stringify(await attest({ predicateType: 'https://slsa.dev/verification_summary/v1' }))}\n${JSON.stringify(bundle)}`,
      expected: 'accepted',
    },
    {
      name: 'an attestation about another file',
      attack: 'other-subject',
      bundle: await attest(subject(hex(OTHER))),
      expected: 'subject-mismatch',
    },
    {
      name: 'an attestation about another file under the name of this one',
      attack: 'other-subject',
      bundle: await attest({ subject: [{ name: 'agent', digest: { sha256: hex(OTHER), sha512: hex(ARTIFACT) } }] }),
      expected: 'subject-mismatch',
    },
    {
      name: 'an attestation with a subject without a digest',
      attack: 'other-subject',
      bundle: await attest({ subject: [{ name: 'agent' }] }),
      expected: 'subject-mismatch',
    },
    {
      name: 'an attestation with no subject',
      attack: 'other-subject',
      bundle: await attest({ subject: [] }),
      expected: 'provenance-refused',
    },
    {
      name: 'an attestation with no predicate type',
      attack: 'other-subject',
      bundle: await attest({ predicateType: '' }),
      expected: 'provenance-refused',
    },
    {
      name: 'a statement of an unknown version',
      bundle: await attest({ _type: 'https://in-toto.io/Statement/v2' }),
      expected: 'provenance-refused',
    },
    { name: 'a payload of another type', bundle: await attest({}, { payloadType: 'application/json' }), expected: 'provenance-refused' },
    { name: 'a payload that is not JSON', bundle: await sigstore.attest('{'), expected: 'provenance-refused' },
    {
      name: 'an attestation by a stranger',
      bundle: await attest({}, { identity: 'https://github.com/evil' }),
      expected: 'identity-mismatch',
    },
    {
      name: 'an attestation with the log entry of another',
      bundle: withWitnessesOf(
        await attest({}, { witness: 'log' }),
        await attest({ predicateType: 'https://slsa.dev/provenance/v0.2' }, { witness: 'log' }),
      ),
      expected: 'signature-invalid',
    },
    {
      name: 'an attestation with an exchanged payload',
      bundle: withPayloadOf(bundle, await attest({ predicateType: 'https://evil.test' })),
      expected: 'signature-invalid',
    },
  ]
}

/** Good signatures of the right signer over statements about the right file, which all say something else than where it came from. */
function statementsThatDoNotVouch(about: Readonly<Record<string, unknown>>): Readonly<Record<string, object>> {
  const slsa = 'https://slsa.dev/'
  return {
    'a test result that says FAILED': { predicateType: 'https://in-toto.io/attestation/test-result/v0.1', predicate: { result: 'FAILED' } },
    'a report of vulnerabilities': { predicateType: 'https://in-toto.io/attestation/vulns/v0.1', predicate: {} },
    'a verification that FAILED': { predicateType: `${slsa}verification_summary/v1`, predicate: { verificationResult: 'FAILED' } },
    'a provenance of no known version': { predicateType: `${slsa}provenance/nonsense` },
    'a provenance of no known version that says nothing': { predicateType: `${slsa}provenance/nonsense`, predicate: {} },
    'a provenance that says nothing': { predicate: {} },
    'a provenance without a builder': { predicate: { ...Object(about['predicate']), runDetails: {} } },
    'an older provenance without a build type': { predicateType: `${slsa}provenance/v0.2`, predicate: { builder: { id: IDENTITY } } },
  }
}

async function keyRows(sigstore: OfflineSigstore): Promise<readonly Row[]> {
  const pair = newKey()
  const p384 = newKey('P-384')
  const signers: readonly Signer[] = [{ kind: 'key', publicKeyPem: publicPem(pair) }]
  const stranger: Signer = { kind: 'key', publicKeyPem: publicPem(newKey()) }
  const bundle = await sigstore.signBlob(ARTIFACT, { key: pair, witness: 'none' })
  const witnessed = await sigstore.signBlob(ARTIFACT, { key: pair })
  const certified = await sigstore.signBlob(ARTIFACT)
  return [
    { name: 'a file signed by a key, with no witness', bundle, signers, expected: 'accepted' },
    { name: 'a file signed by a key, with no trusted root', bundle: witnessed, signers, trustedRoot: undefined, expected: 'accepted' },
    { name: 'a file signed by a key, with witnesses', bundle: witnessed, signers, expected: 'accepted' },
    {
      name: 'a file signed by a key on the larger curve',
      bundle: await sigstore.signBlob(ARTIFACT, { key: p384 }),
      signers: [{ kind: 'key', publicKeyPem: publicPem(p384) }],
      expected: 'accepted',
    },
    {
      name: 'an attestation signed by a key',
      bundle: await sigstore.attest(provenanceAbout(ARTIFACT), { key: pair }),
      signers,
      expected: 'accepted',
    },
    { name: 'the second of two keys', bundle, signers: [stranger, ...signers], expected: 'accepted' },
    { name: 'a file signed by another key', bundle, signers: [stranger], expected: 'signature-invalid' },
    { name: 'a key signature of another file', bundle, signers, subject: hex(OTHER), expected: 'subject-mismatch' },
    {
      name: 'a key signature whose witness saw another one',
      bundle: withWitnessesOf(witnessed, await sigstore.signBlob(ARTIFACT, { key: pair })),
      signers,
      expected: 'signature-invalid',
    },
    { name: 'a key signature where a certificate is asked for', bundle, expected: 'identity-mismatch' },
    { name: 'a certificate where a key is asked for', bundle: certified, signers, expected: 'identity-mismatch' },
    {
      name: 'a certificate where a key is asked for and there is no root',
      bundle: certified,
      signers,
      trustedRoot: undefined,
      expected: 'identity-mismatch',
    },
    {
      name: 'a policy with something else than a key',
      bundle,
      signers: [{ kind: 'key', publicKeyPem: 'not a key' }],
      expected: 'config-invalid',
    },
    { name: 'a policy with a private key', bundle, signers: [{ kind: 'key', publicKeyPem: privatePem(pair) }], expected: 'config-invalid' },
  ]
}

/** Keys that a log or an authority seldom has, so that only a managed key shows how they are read. */
async function otherKeyRows(sigstore: OfflineSigstore): Promise<readonly Row[]> {
  const [ec, rsa, ed25519] = [newKey(), newRsaKey(), newEd25519Key()]
  const signedBy = (pair: KeyPair) => ({ signers: [{ kind: 'key', publicKeyPem: publicPem(pair) }] as const })
  const unwitnessed = (bytes: Uint8Array, key: KeyPair) => sigstore.signBlob(bytes, { key, witness: 'none' })
  const attested = await sigstore.attest(provenanceAbout(ARTIFACT), { key: ed25519, witness: 'none' })
  const byEc = await unwitnessed(ARTIFACT, ec)
  const byRsa = await unwitnessed(ARTIFACT, rsa)
  const expected = 'signature-invalid'
  return [
    { ...signedBy(ec), name: 'a key signature whose s is in the larger half', bundle: inLargerHalf(byEc), expected: 'accepted' },
    {
      ...signedBy(ec),
      name: 'the signature of a key over another file',
      bundle: withSignatureOf(byEc, await unwitnessed(OTHER, ec)),
      expected,
    },
    {
      ...signedBy(rsa),
      name: 'the signature of an RSA key over another file',
      bundle: withSignatureOf(byRsa, await unwitnessed(OTHER, rsa)),
      expected,
    },
    {
      ...signedBy(ed25519),
      name: 'an attestation of an Ed25519 key with an exchanged payload',
      bundle: withPayloadOf(
        attested,
        await sigstore.attest({ ...provenanceAbout(ARTIFACT), predicateType: 'https://slsa.dev/provenance/v0.2' }, { key: ed25519 }),
      ),
      expected,
    },
  ]
}

async function formatRows(sigstore: OfflineSigstore): Promise<readonly Row[]> {
  const bundle = await sigstore.signBlob(ARTIFACT)
  const good = JSON.stringify(bundle)
  const other = JSON.stringify(await sigstore.signBlob(OTHER))
  const stranger = JSON.stringify(await sigstore.signBlob(ARTIFACT, { identity: 'https://github.com/evil' }))
  const media = (mediaType: string) => ({ ...bundle, mediaType })
  return [
    { name: 'a bundle written over many lines', bundle: JSON.stringify(bundle, undefined, 2), expected: 'accepted' },
    { name: 'JSON Lines of which the last passes', bundle: `${other}\n{}\nno JSON\n${good}\n`, expected: 'accepted' },
    { name: 'JSON Lines of which none passes', bundle: `{}\n${other}\n`, expected: 'subject-mismatch' },
    { name: 'JSON Lines of a stranger and of nonsense', bundle: `{}\n${stranger}\n{}`, expected: 'identity-mismatch' },
    { name: 'more lines than allowed', bundle: `${'{}\n'.repeat(16)}${good}`, expected: 'bundle-invalid' },
    { name: 'more bytes than allowed', bundle: `${good}${' '.repeat(256 * 1024)}`, expected: 'format-oversized' },
    { name: 'an empty file', bundle: '', expected: 'bundle-invalid' },
    { name: 'a list', bundle: `[${good}]`, expected: 'bundle-invalid' },
    { name: 'null', bundle: 'null', expected: 'bundle-invalid' },
    { name: 'nesting without end', bundle: good.replace('{', `{"x":${'['.repeat(5000)}${']'.repeat(5000)},`), expected: 'bundle-invalid' },
    { name: 'a media type of a later version', bundle: media('application/vnd.dev.sigstore.bundle.v0.4+json'), expected: 'bundle-invalid' },
    { name: 'a media type with a suffix', bundle: media(`${bundle.mediaType};x`), expected: 'bundle-invalid' },
    { name: 'a signature that is not base64', bundle: good.replace('"signature":"', '"signature":"!'), expected: 'bundle-invalid' },
    {
      name: 'a signature that is an object with a length',
      bundle: altered(bundle, /"signature":("[^"]+")/, () => '{"length":4e9}'),
      expected: 'bundle-invalid',
    },
    {
      name: 'a timestamp repeated many times',
      bundle: altered(bundle, /"rfc3161Timestamps":\[(.*?)\]/, (one) => Array(9).fill(one).join()),
      expected: 'bundle-invalid',
    },
    {
      name: 'a log entry repeated many times',
      bundle: altered(bundle, /"tlogEntries":\[(.*)\],"timestamp/, (one) => Array(9).fill(one).join()),
      expected: 'bundle-invalid',
    },
    {
      name: 'a log entry repeated',
      bundle: altered(bundle, /"tlogEntries":\[(.*)\],"timestamp/, (one) => `${one},${one}`),
      thresholds: { log: 2, sct: 1, timestamp: 1 },
      expected: 'signature-invalid',
    },
    {
      name: 'a timestamp repeated',
      bundle: altered(bundle, /"rfc3161Timestamps":\[(.*?)\]/, (one) => `${one},${one}`),
      thresholds: { log: 1, sct: 1, timestamp: 3 },
      expected: 'signature-invalid',
    },
    {
      name: 'a proof of more hashes than a tree has levels',
      bundle: altered(bundle, /"hashes":(\[\])/, () => JSON.stringify(Array(65).fill('AAAA'))),
      expected: 'bundle-invalid',
    },
    {
      name: 'a note of the log that is signed without end',
      bundle: altered(bundle, /(— rekor\.test \S+?\\n)"/, (line) => line.repeat(80)),
      expected: 'bundle-invalid',
    },
    {
      name: 'a proof that says another root than its checkpoint',
      bundle: altered(bundle, /"rootHash":"([^"]+)"/, lastBit),
      expected: 'bundle-invalid',
    },
    {
      name: 'a proof that says another size of the tree than its checkpoint',
      bundle: altered(bundle, /"treeSize":"(\d+)"/, (size) => `${size}0`),
      expected: 'bundle-invalid',
    },
    { name: 'an older cosign bundle', bundle: '{"base64Signature":"AAAA","cert":"AAAA"}', expected: 'bundle-invalid' },
  ]
}

async function rootRows(sigstore: OfflineSigstore): Promise<readonly Row[]> {
  const bundle = await sigstore.signBlob(ARTIFACT)
  const other = (await createOfflineSigstore()).trustedRoot
  const root = sigstore.trustedRoot
  const text = JSON.stringify(root)
  const without = (list: string) => ({ ...root, [list]: [] })
  const noStart = (list: string) => ({
    ...root,
    [list]: JSON.parse(JSON.stringify(root[list]).replace('"start":"2020-01-01T00:00:00Z"', '')),
  })
  const refused: readonly Row[] = [
    { name: 'another trusted root', bundle, trustedRoot: other, expected: 'signature-invalid' },
    ...['tlogs', 'ctlogs', 'certificateAuthorities', 'timestampAuthorities'].flatMap((list): readonly Row[] => [
      { name: `a trusted root without ${list}`, bundle, trustedRoot: without(list), expected: 'signature-invalid' },
      { name: `a trusted root without a start of validity in ${list}`, bundle, trustedRoot: noStart(list), expected: 'format-invalid' },
    ]),
    {
      name: 'parts of two roots put together, one for each',
      bundle,
      trustedRoot: [without('tlogs'), without('ctlogs')],
      expected: 'signature-invalid',
    },
    {
      name: 'a trusted root that began later',
      bundle,
      trustedRoot: JSON.parse(text.replaceAll('2020-01-01', '2099-01-01')),
      expected: 'signature-invalid',
    },
    {
      name: 'a trusted root with a start that is no time',
      bundle,
      trustedRoot: JSON.parse(text.replace('2020-01-01T', 'soon')),
      expected: 'format-invalid',
    },
    {
      name: 'a trusted root with an end that is no time',
      bundle,
      trustedRoot: JSON.parse(text.replace('"start":', '"end":"never","start":')),
      expected: 'format-invalid',
    },
    {
      name: 'a trusted root of an unknown version',
      bundle,
      trustedRoot: { ...root, mediaType: 'application/vnd.dev.sigstore.trustedroot.v9+json' },
      expected: 'format-unsupported',
    },
    { name: 'a trusted root that is a string', bundle, trustedRoot: text, expected: 'format-invalid' },
    {
      name: 'a trusted root whose kind is an object that cannot be written as text',
      bundle,
      trustedRoot: { ...root, mediaType: { toString: null, valueOf: 7 } },
      expected: 'format-unsupported',
    },
    { name: 'an empty list of trusted roots', bundle, trustedRoot: [], expected: 'format-invalid' },
    { name: 'no trusted root', bundle, trustedRoot: undefined, expected: 'config-invalid' },
  ]
  return [
    { name: 'the second of two trusted roots', bundle, trustedRoot: [other, root], expected: 'accepted' },
    ...refused.map((row): Row => ({ ...row, attack: 'other-root' })),
  ]
}

/** Certificates as an authority that errs or colludes might issue them. No certificate log vouches for them, since they were changed. */
async function editedCertificateRows(): Promise<readonly Row[]> {
  const sigstore = await createOfflineSigstore({ sct: false })
  const shared = { trustedRoot: sigstore.trustedRoot, thresholds: { log: 1, sct: 0, timestamp: 1 } }
  const signed = (editCertificate: (tbs: Buffer) => Buffer) => sigstore.signBlob(ARTIFACT, { editCertificate })
  const second = 'https://evil.test'
  const twoNames = await sigstore.signBlob(ARTIFACT, {
    identity: `${IDENTITY}..${second}`,
    editCertificate: (tbs) => replaceBytes(tbs, uriName(`${IDENTITY}..${second}`), Buffer.concat([uriName(IDENTITY), uriName(second)])),
  })
  const lastLetter = Buffer.from(IDENTITY.slice(-8))
  const topBitSet = Buffer.from(lastLetter)
  topBitSet.writeUInt8(topBitSet.readUInt8(7) | 0x80, 7)
  return [
    {
      ...shared,
      name: 'a certificate that no certificate log saw, where none is asked for',
      bundle: await sigstore.signBlob(ARTIFACT),
      expected: 'accepted',
    },
    {
      ...shared,
      name: 'a certificate that no certificate log saw',
      bundle: await sigstore.signBlob(ARTIFACT),
      thresholds: THRESHOLDS,
      expected: 'signature-invalid',
    },
    {
      ...shared,
      name: 'a certificate for client authentication',
      bundle: await signed((tbs) => replaceBytes(tbs, CODE_SIGNING, CLIENT_AUTH)),
      expected: 'bundle-invalid',
    },
    {
      ...shared,
      name: 'an identity that differs in a top bit',
      bundle: await signed((tbs) => replaceBytes(tbs, lastLetter, topBitSet)),
      expected: 'bundle-invalid',
    },
    { ...shared, name: 'an identity beside another', bundle: twoNames, expected: 'bundle-invalid' },
    {
      ...shared,
      name: 'an identity that is a DNS name',
      bundle: await signed((tbs) => replaceBytes(tbs, uriName(IDENTITY), dnsName(IDENTITY))),
      expected: 'bundle-invalid',
    },
  ]
}

/** One bit of each signature around the file's own: each witness counts for itself. */
async function alteredSignatureRows(sigstore: OfflineSigstore): Promise<readonly Row[]> {
  const bundle = await sigstore.signBlob(ARTIFACT)
  const unlogged = await createOfflineSigstore({ sct: false })
  const certified = await unlogged.signBlob(ARTIFACT)
  const expected = 'signature-invalid'
  return [
    {
      name: 'an altered signature of the log over its time',
      bundle: altered(bundle, /"signedEntryTimestamp":"([^"]+)"/, lastBit),
      expected,
    },
    { name: 'an altered signature of the log over its tree', bundle: altered(bundle, /rekor\.test (\S+?)\\n"/, lastBit), expected },
    { name: 'an altered signature of the timestamp authority', bundle: altered(bundle, /"signedTimestamp":"([^"]+)"/, lastBit), expected },
    {
      name: 'an altered signature of the certificate authority',
      bundle: altered(certified, /"certificate":{"rawBytes":"([^"]+)"/, lastBit),
      trustedRoot: unlogged.trustedRoot,
      thresholds: { log: 1, sct: 0, timestamp: 1 },
      expected,
    },
    {
      name: 'an altered time of the log',
      bundle: altered(bundle, /"integratedTime":"(\d+)"/, (time) => String(Number(time) + 1)),
      expected,
    },
  ]
}

/** The bundle with one part of its JSON text changed. */
export function altered(bundle: BundleJson, part: RegExp, change: (value: string) => string): string {
  const text = JSON.stringify(bundle)
  // By its place: the same text may stand elsewhere too.
  const [start, end] = new RegExp(part, 'd').exec(text)?.indices?.[1] ?? []
  if (start === undefined || end === undefined) throw new TypeError(`nothing like ${String(part)} in the bundle`)
  return `${text.slice(0, start)}${change(text.slice(start, end))}${text.slice(end)}`
}

export function lastBit(base64: string): string {
  const bytes = Buffer.from(base64, 'base64')
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
  return bytes.toString('base64')
}

function uriName(name: string): Buffer {
  return Buffer.concat([Buffer.from([0x86, name.length]), Buffer.from(name)])
}

function dnsName(name: string): Buffer {
  return Buffer.concat([Buffer.from([0x82, name.length]), Buffer.from(name)])
}

/** The log's promise taken away: only its proof is left, which says nothing of the time. */
export function unsignedTime(bundle: BundleJson): string {
  return altered(bundle, /("inclusionPromise":{[^}]*},)/, () => '')
}

export function withDigest(bundle: BundleJson, bytes: Uint8Array): BundleJson {
  const messageDigest = { algorithm: 'SHA2_256', digest: sha256(bytes).toString('base64') }
  return { ...bundle, messageSignature: { ...bundle.messageSignature, messageDigest } }
}

function withAlgorithm(bundle: BundleJson, algorithm: string): BundleJson {
  const messageDigest = { algorithm, digest: sha256(ARTIFACT).toString('base64') }
  return { ...bundle, messageSignature: { ...bundle.messageSignature, messageDigest } }
}

export function withSignatureOf(bundle: BundleJson, other: BundleJson): BundleJson {
  return { ...bundle, messageSignature: { ...bundle.messageSignature, signature: other.messageSignature?.['signature'] } }
}

export function withPayloadOf(bundle: BundleJson, other: BundleJson): BundleJson {
  return { ...bundle, dsseEnvelope: { ...bundle.dsseEnvelope, payload: other.dsseEnvelope?.['payload'] } }
}

export function withWitnessesOf(bundle: BundleJson, other: BundleJson): BundleJson {
  const { tlogEntries, timestampVerificationData } = other.verificationMaterial
  return { ...bundle, verificationMaterial: { ...bundle.verificationMaterial, tlogEntries, timestampVerificationData } }
}

function withTimestampOf(bundle: BundleJson, other: BundleJson): BundleJson {
  const { timestampVerificationData } = other.verificationMaterial
  return { ...bundle, verificationMaterial: { ...bundle.verificationMaterial, timestampVerificationData } }
}

function withTreeOf(bundle: BundleJson, other: BundleJson): string {
  const tree = /("rootHash":.*?"checkpoint":\{.*?\})/
  return altered(bundle, tree, () => tree.exec(JSON.stringify(other))?.[1] ?? '')
}

/** The same signature in its other form, which any signer may write. */
function inLargerHalf(bundle: BundleJson): BundleJson {
  const { r, s } = p256.Signature.fromBytes(Buffer.from(String(bundle.messageSignature?.['signature']), 'base64'), 'der')
  const { ORDER } = p256.Point.Fn
  const larger = new p256.Signature(r, s > ORDER / 2n ? s : ORDER - s)
  return { ...bundle, messageSignature: { ...bundle.messageSignature, signature: Buffer.from(larger.toBytes('der')).toString('base64') } }
}

function privatePem(pair: ReturnType<typeof newKey>): string {
  return pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

function hex(bytes: Uint8Array): string {
  return sha256(bytes).toString('hex')
}
