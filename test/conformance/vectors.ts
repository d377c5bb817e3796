/** Our own cases in the layout of the public suite, made with keys of the moment. What each shows is in its `shows`. */

import { generateKeyPairSync } from 'node:crypto'
import { altered, lastBit, unsignedTime, withDigest, withPayloadOf, withWitnessesOf } from '../trust/cases.ts'
import {
  createOfflineSigstore,
  IDENTITY,
  ISSUER,
  newKey,
  provenanceAbout,
  publicPem,
  type BundleJson,
  type KeyPair,
  type OfflineSigstore,
  type SignOptions,
} from '../trust/offline-sigstore.ts'

export interface Vector {
  /** Ends in `_fail` where the bundle has to be refused. */
  readonly name: string
  /** One line for a person. */
  readonly shows: string
  readonly bundle: BundleJson | string
  /** Default: the artifact that most cases share. */
  readonly artifact?: Buffer
  readonly trustedRoot: unknown
  readonly signer: { readonly identity: string; readonly issuer: string } | { readonly publicKeyPem: string }
}

export const SHARED_ARTIFACT = Buffer.from('What most of these cases are about.\n')
const OTHER = Buffer.from('Another file.\n')

/** Long enough that a certificate of ten minutes is over. */
const LATE_SECONDS = 900

type Row = readonly [name: string, shows: string, bundle: BundleJson | string, changed?: Partial<Vector>]

/** Two deployments that look alike but for their keys, and two of other habits. */
interface Makers {
  readonly ours: OfflineSigstore
  readonly theirs: OfflineSigstore
  readonly larger: OfflineSigstore
  readonly late: OfflineSigstore
}

/** Made anew at each call: about a second. */
export async function makeVectors(): Promise<readonly Vector[]> {
  const makers = {
    ours: await createOfflineSigstore(),
    theirs: await createOfflineSigstore(),
    larger: await createOfflineSigstore({ authorityCurve: 'P-384' }),
    late: await createOfflineSigstore({ timestampDelaySeconds: LATE_SECONDS }),
  }
  const rows = [
    ...(await messageAccepts(makers)),
    ...(await signatureRefusals(makers)),
    ...(await witnessRefusals(makers)),
    ...(await identityRefusals(makers)),
    ...(await rootRefusals(makers)),
    ...(await attestations(makers)),
    ...(await keys(makers)),
    ...(await formats(makers)),
  ]
  const signer = { identity: IDENTITY, issuer: ISSUER }
  return rows.map(([name, shows, bundle, changed]) => ({ name, shows, bundle, trustedRoot: makers.ours.trustedRoot, signer, ...changed }))
}

async function messageAccepts({ ours, theirs, larger }: Makers): Promise<readonly Row[]> {
  const sign = (options?: SignOptions) => ours.signBlob(SHARED_ARTIFACT, options)
  const empty = Buffer.alloc(0)
  const long = Buffer.alloc(200_003, 'a file that arrives in several parts\n')
  const roots = [theirs.trustedRoot, ours.trustedRoot]
  return [
    ['message', 'A file with an entry in a Rekor v1 log and an RFC 3161 timestamp.', await sign()],
    ['message-log-only', 'The only time is the one that the Rekor v1 log signed.', await sign({ witness: 'log' })],
    ['message-rekor2', 'An entry of Rekor v2 in a tree of nine, its Ed25519 checkpoint, and a timestamp.', await sign({ rekor: 2 })],
    ['message-two-logs', 'An entry in each of two trusted logs, of Rekor v1 and of Rekor v2.', await sign({ rekor: 'both' })],
    [
      'message-second-of-several-logs',
      'The trusted root names another deployment first: every trusted log and authority has to be considered.',
      await sign({ rekor: 'both' }),
      { trustedRoot: joined(roots) },
    ],
    [
      'message-authority-p384',
      'The certificate authority has a P-384 key.',
      await larger.signBlob(SHARED_ARTIFACT),
      { trustedRoot: larger.trustedRoot },
    ],
    ['message-signature-high-s', 'An ECDSA signature in the upper half of s, as half of all honest ones are.', await withHighS(sign)],
    ['message-empty-artifact', 'The file has no bytes.', await ours.signBlob(empty), { artifact: empty }],
    ['message-long-artifact', 'The file is longer than one read of most programs.', await ours.signBlob(long), { artifact: long }],
  ]
}

/** Everything else about each of these bundles is right: a verifier that skips one signature accepts one of them. */
async function signatureRefusals({ ours, theirs }: Makers): Promise<readonly Row[]> {
  const bundle = await ours.signBlob(SHARED_ARTIFACT)
  const logged = await ours.signBlob(SHARED_ARTIFACT, { witness: 'log' })
  const newer = await ours.signBlob(SHARED_ARTIFACT, { rekor: 2 })
  const change = (of: BundleJson, part: RegExp) => altered(of, part, lastBit)
  return [
    [
      'message-signature-of-other_fail',
      'The ECDSA signature, logged and timestamped as it is, was made over another file.',
      await ours.signBlob(SHARED_ARTIFACT, { signsOther: OTHER }),
    ],
    [
      'message-rekor2-signature-of-other_fail',
      'The same with Rekor v2.',
      await ours.signBlob(SHARED_ARTIFACT, { signsOther: OTHER, rekor: 2 }),
    ],
    [
      'log-promise-altered_fail',
      'One bit of the signed entry timestamp of Rekor v1 differs.',
      change(logged, /"signedEntryTimestamp":"([^"]+)"/),
    ],
    ['log-checkpoint-altered_fail', 'One bit of the ECDSA signature of the checkpoint differs.', change(logged, /rekor\.test (\S+?)\\n"/)],
    [
      'rekor2-checkpoint-altered_fail',
      'One bit of the Ed25519 signature of the checkpoint differs.',
      altered(newer, /log2\.rekor\.test (\S+?)\\n"/, middleBit),
    ],
    ['timestamp-altered_fail', 'One bit of the signature of the timestamp differs.', change(bundle, /"signedTimestamp":"([^"]+)"/)],
    [
      'certificate-signature-altered_fail',
      'One bit of the signature of the certificate authority differs; the certificate log did not sign that one.',
      change(bundle, /"certificate":{"rawBytes":"([^"]+)"/),
    ],
    [
      'certificate-of-impostor_fail',
      'The trusted root holds an authority of the same name with another key, and everything else of the right one.',
      bundle,
      { trustedRoot: { ...ours.trustedRoot, certificateAuthorities: theirs.trustedRoot['certificateAuthorities'] } },
    ],
  ]
}

async function witnessRefusals({ ours, late }: Makers): Promise<readonly Row[]> {
  const sign = (options?: SignOptions) => ours.signBlob(SHARED_ARTIFACT, options)
  const bundle = await sign()
  const logged = await sign({ witness: 'log' })
  const newer = await sign({ rekor: 2 })
  const entries = /"tlogEntries":\[(.*)\],"timestamp/
  const timestamps = /"rfc3161Timestamps":\[(.*?)\]/
  const twice = (part: string): string => `${part},${part}`
  return [
    ['log-entry-missing_fail', 'There is a timestamp, but no log entry.', altered(bundle, entries, () => '')],
    ['log-entry-repeated_fail', 'One log entry stands there twice, as if two logs had seen it.', altered(bundle, entries, twice)],
    [
      'log-entry-of-other-signature_fail',
      'Log entry and time belong to another signature over the same file.',
      withWitnessesOf(logged, await sign({ witness: 'log' })),
    ],
    [
      'log-entry-of-other-digest_fail',
      'The log was told another digest than the one that was signed.',
      await sign({ loggedDigest: digestOfOther }),
    ],
    ['log-time-altered_fail', 'The time is a second off what the log signed.', altered(logged, /"integratedTime":"(\d+)"/, next)],
    ['log-time-unsigned_fail', 'The only time is one that nobody signed: the promise of the log is missing.', unsignedTime(logged)],
    [
      'rekor2-time-unsigned_fail',
      'Rekor v2 signs no time, this entry claims one all the same, and there is no timestamp.',
      altered(
        await sign({ rekor: 2, witness: 'log' }),
        /("kindVersion":{[^}]*},)/,
        (kind) => `${kind}"integratedTime":"${ours.signedAtSeconds}",`,
      ),
    ],
    ['rekor2-entry-repeated_fail', 'One entry of Rekor v2 stands there twice.', altered(newer, entries, twice)],
    [
      'rekor2-root-hash-altered_fail',
      'The proof says another root than the checkpoint does.',
      altered(newer, /"rootHash":"([^"]+)"/, lastBit),
    ],
    [
      'rekor2-tree-size-altered_fail',
      'The proof says another size of the tree than the checkpoint does.',
      altered(newer, /"treeSize":"(\d+)"/, next),
    ],
    ['rekor2-proof-altered_fail', 'One hash of the inclusion proof differs.', altered(newer, /"hashes":\["([^"]+)"/, lastBit)],
    ['rekor2-proof-shortened_fail', 'The inclusion proof is one hash short.', altered(newer, /"hashes":\[("[^"]+",)/, () => '')],
    [
      'rekor2-index-altered_fail',
      'The proof is for the next entry of the tree.',
      altered(newer, /"inclusionProof":{"logIndex":"(\d+)"/, next),
    ],
    [
      'rekor2-proof-of-other-entry_fail',
      'The proof is right for another entry of the same log.',
      withProofOf(newer, await sign({ rekor: 2 })),
    ],
    [
      'timestamp-of-other-signature_fail',
      'The timestamp is of another signature over the same file.',
      withTimestampOf(newer, await sign({ rekor: 2 })),
    ],
    ['timestamp-repeated_fail', 'One timestamp stands there twice.', altered(bundle, timestamps, twice)],
    [
      'timestamp-after-certificate_fail',
      'The timestamp is from after the end of the certificate.',
      await late.signBlob(SHARED_ARTIFACT, { rekor: 2 }),
      { trustedRoot: late.trustedRoot },
    ],
  ]
}

async function identityRefusals({ ours, theirs }: Makers): Promise<readonly Row[]> {
  const bundle = await ours.signBlob(SHARED_ARTIFACT)
  const wanted = (changed: Partial<{ identity: string; issuer: string }>): Partial<Vector> => ({
    signer: { identity: IDENTITY, issuer: ISSUER, ...changed },
  })
  const held = (options: SignOptions): Promise<BundleJson> => ours.signBlob(SHARED_ARTIFACT, options)
  return [
    [
      'identity-with-suffix_fail',
      'The wanted identity is the beginning of the certificate’s.',
      await held({ identity: `${IDENTITY}-evil` }),
    ],
    [
      'identity-with-prefix_fail',
      'The wanted identity is the end of the certificate’s.',
      await held({ identity: `https://evil.test/?${IDENTITY}` }),
    ],
    [
      'identity-as-pattern_fail',
      'The wanted identity would match if its dots were those of a pattern.',
      await held({ identity: IDENTITY.replace('github.com', 'githubxcom') }),
    ],
    ['identity-in-capitals_fail', 'The identities differ in case.', bundle, wanted({ identity: IDENTITY.toUpperCase() })],
    ['identity-of-stranger_fail', 'Another repository is wanted.', bundle, wanted({ identity: IDENTITY.replace('agent', 'other') })],
    ['issuer-of-stranger_fail', 'Another issuer is wanted.', bundle, wanted({ issuer: 'https://accounts.google.com' })],
    ['issuer-with-suffix_fail', 'The wanted issuer is the beginning of the certificate’s.', await held({ issuer: `${ISSUER}.evil.test` })],
    [
      'issuer-in-older-place-only_fail',
      'The wanted issuer stands in extension 1.3.6.1.4.1.57264.1.1 only; extension …1.8 names another one.',
      await held({ issuer: 'https://evil.test', rawIssuer: ISSUER }),
    ],
    ['artifact-of-other_fail', 'The bundle is right, but for another file.', await ours.signBlob(OTHER)],
    [
      'artifact-digest-exchanged_fail',
      'The digest in the bundle was exchanged for that of this file.',
      withDigest(await ours.signBlob(OTHER), SHARED_ARTIFACT),
    ],
    [
      'bundle-of-other-deployment_fail',
      'Signed under an authority that is not in the trusted root.',
      await theirs.signBlob(SHARED_ARTIFACT),
    ],
  ]
}

async function rootRefusals({ ours, theirs }: Makers): Promise<readonly Row[]> {
  const bundle = await ours.signBlob(SHARED_ARTIFACT, { rekor: 'both' })
  const root = ours.trustedRoot
  const text = JSON.stringify(root)
  const lists = ['tlogs', 'ctlogs', 'certificateAuthorities', 'timestampAuthorities']
  return [
    ...lists.flatMap((list): readonly Row[] => [
      [`root-without-${list.toLowerCase()}_fail`, `The trusted root has no ${list}.`, bundle, { trustedRoot: { ...root, [list]: [] } }],
      [
        `root-with-strange-${list.toLowerCase()}_fail`,
        `The trusted root has the ${list} of another deployment.`,
        bundle,
        { trustedRoot: { ...root, [list]: theirs.trustedRoot[list] } },
      ],
      [
        `root-without-start-of-${list.toLowerCase()}_fail`,
        `In ${list} of the trusted root no validity has a start: the specification demands one.`,
        bundle,
        { trustedRoot: { ...root, [list]: JSON.parse(JSON.stringify(root[list]).replaceAll('"start":"2020-01-01T00:00:00Z"', '')) } },
      ],
    ]),
    [
      'root-of-the-future_fail',
      'Nothing in the trusted root was valid yet.',
      bundle,
      { trustedRoot: JSON.parse(text.replaceAll('2020-01-01', '2099-01-01')) },
    ],
    [
      'root-of-unknown-version_fail',
      'The media type of the trusted root is not known.',
      bundle,
      { trustedRoot: { ...root, mediaType: 'application/vnd.dev.sigstore.trustedroot.v9+json' } },
    ],
  ]
}

async function attestations({ ours }: Makers): Promise<readonly Row[]> {
  const about = provenanceAbout(SHARED_ARTIFACT)
  const attest = (changed: object, options?: SignOptions) => ours.attest({ ...about, ...changed }, options)
  const ofOther = provenanceAbout(OTHER)
  const bundle = await attest({})
  const older = {
    predicateType: 'https://slsa.dev/provenance/v0.2',
    predicate: { builder: { id: IDENTITY }, buildType: 'https://github.com/slsa-framework/slsa-github-generator/generic@v1' },
  }
  const subjects = (statement: Readonly<Record<string, unknown>>): readonly unknown[] => [statement['subject']].flat()
  return [
    ['attestation', 'In-toto statement v1 with SLSA provenance v1 in a DSSE envelope, Rekor v1.', bundle],
    ['attestation-rekor2', 'The same with Rekor v2: the entry holds the digest of what was signed.', await attest({}, { rekor: 2 })],
    [
      'attestation-statement-v0.1',
      'In-toto statement v0.1 with SLSA provenance v0.2.',
      await attest({ ...older, _type: 'https://in-toto.io/Statement/v0.1' }),
    ],
    [
      'attestation-of-several-files',
      'The file is the second subject.',
      await attest({ subject: [...subjects(ofOther), ...subjects(about)] }),
    ],
    ['attestation-of-other_fail', 'The statement is about another file.', await ours.attest(ofOther)],
    ['attestation-without-digest_fail', 'The subject has the right name and no digest.', await attest({ subject: [{ name: 'agent' }] })],
    ['attestation-without-subject_fail', 'The statement is about nothing.', await attest({ subject: [] })],
    [
      'attestation-of-unknown-version_fail',
      'The statement says a version that is not known.',
      await attest({ _type: 'https://in-toto.io/Statement/v2' }),
    ],
    [
      'attestation-payload-type_fail',
      'The envelope does not say that it holds a statement.',
      await attest({}, { payloadType: 'application/json' }),
    ],
    [
      'attestation-payload-exchanged_fail',
      'The payload is that of another envelope.',
      withPayloadOf(bundle, await attest({ predicateType: 'https://slsa.dev/provenance/v0.2' })),
    ],
    [
      'attestation-signature-of-other_fail',
      'The signature, logged and timestamped as it is, is over another payload.',
      await attest({}, { signsOther: OTHER }),
    ],
    [
      'attestation-signed-twice_fail',
      'The envelope has two signatures; a bundle has exactly one.',
      altered(bundle, /"signatures":\[(.*?)\]/, (one) => `${one},${one}`),
    ],
  ]
}

async function keys({ ours }: Makers): Promise<readonly Row[]> {
  const pairs: Readonly<Record<string, KeyPair>> = {
    'ecdsa-p256': newKey(),
    'rsa-2048': generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ed25519: generateKeyPairSync('ed25519'),
  }
  const rows: Row[] = []
  const statement = provenanceAbout(SHARED_ARTIFACT)
  for (const [name, key] of Object.entries(pairs)) {
    const signer = { signer: { publicKeyPem: publicPem(key) } }
    rows.push(
      [`key-${name}-attestation`, 'An attestation by this kind of key.', await ours.attest(statement, { key }), signer],
      [
        `key-${name}-attestation-signature-of-other_fail`,
        'The signature by this kind of key, logged and timestamped as it is, is over another payload.',
        await ours.attest(statement, { key, signsOther: OTHER }),
        signer,
      ],
    )
    // Ed25519 signs the message itself, so a file cannot be verified by its digest alone.
    if (name === 'ed25519') continue
    rows.push(
      [`key-${name}-message`, 'A file signed by this kind of key.', await ours.signBlob(SHARED_ARTIFACT, { key }), signer],
      [
        `key-${name}-message-signature-of-other_fail`,
        'The signature by this kind of key, logged and timestamped as it is, was made over another file.',
        await ours.signBlob(SHARED_ARTIFACT, { key, signsOther: OTHER }),
        signer,
      ],
    )
  }
  const bundle = await ours.signBlob(SHARED_ARTIFACT, { key: pairs['ecdsa-p256'] ?? newKey() })
  const stranger = { signer: { publicKeyPem: publicPem(newKey()) } }
  return [
    ...rows,
    ['key-of-stranger_fail', 'Another key is wanted.', bundle, stranger],
    [
      'key-wanted-certificate-given_fail',
      'A key is wanted, and the file is signed under a certificate.',
      await ours.signBlob(SHARED_ARTIFACT),
      stranger,
    ],
    ['certificate-wanted-key-given_fail', 'An identity is wanted, and the file is signed by a key.', bundle],
  ]
}

async function formats({ ours }: Makers): Promise<readonly Row[]> {
  const bundle = await ours.signBlob(SHARED_ARTIFACT)
  const { certificate, ...material } = bundle.verificationMaterial
  const chained = { ...bundle, verificationMaterial: { x509CertificateChain: { certificates: [certificate] }, ...material } }
  const text = JSON.stringify(bundle)
  const media = 'application/vnd.dev.sigstore.bundle'
  return [
    ['format-v0.1', 'Media type of version 0.1, certificate in a chain of one.', { ...chained, mediaType: `${media}+json;version=0.1` }],
    ['format-v0.2', 'Media type of version 0.2, certificate in a chain of one.', { ...chained, mediaType: `${media}+json;version=0.2` }],
    ['format-v0.3-older', 'The first media type of version 0.3.', { ...bundle, mediaType: `${media}+json;version=0.3` }],
    ['format-on-several-lines', 'JSON with line breaks.', JSON.stringify(bundle, undefined, 2)],
    ['format-unknown-version_fail', 'A version that is not known.', { ...bundle, mediaType: `${media}.v0.4+json` }],
    ['format-media-type-with-suffix_fail', 'Something follows a known media type.', { ...bundle, mediaType: `${bundle.mediaType};x` }],
    ['format-media-type-in-other_fail', 'A known media type within another one.', { ...bundle, mediaType: `x${bundle.mediaType}` }],
    ['format-not-json_fail', 'The bundle is cut short.', text.slice(0, -1)],
    ['format-empty_fail', 'The bundle has no bytes.', ''],
    ['format-null_fail', 'The bundle is null.', 'null'],
    [
      'format-signature-not-base64_fail',
      'A character of the signature is none of base64.',
      text.replace('"signature":"', '"signature":"!'),
    ],
    ['format-signature-empty_fail', 'The signature has no bytes.', altered(bundle, /"signature":"([^"]+)"}}$/, () => '')],
    ['format-without-material_fail', 'Nothing says by what to verify.', JSON.stringify({ ...bundle, verificationMaterial: {} })],
  ]
}

const digestOfOther = Buffer.from(String(subjectDigest(provenanceAbout(OTHER))), 'hex')

function subjectDigest(statement: Readonly<Record<string, unknown>>): unknown {
  const [subject] = [statement['subject']].flat()
  return Object(Object(subject).digest).sha256
}

/** Half of all signatures have it. */
async function withHighS(sign: () => Promise<BundleJson>): Promise<BundleJson> {
  for (;;) {
    const bundle = await sign()
    if (isHighS(Buffer.from(String(bundle.messageSignature?.['signature']), 'base64'))) return bundle
  }
}

const HALF_ORDER_P256 = 0x7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8n

/** SEQUENCE { INTEGER r, INTEGER s } with short lengths throughout. */
function isHighS(der: Buffer): boolean {
  const s = der.subarray(6 + der.readUInt8(3))
  return BigInt(`0x${s.toString('hex')}`) > HALF_ORDER_P256
}

/** One root with everything of several, in this order. */
function joined(roots: readonly Readonly<Record<string, unknown>>[]): unknown {
  const lists = ['tlogs', 'ctlogs', 'certificateAuthorities', 'timestampAuthorities']
  return { ...roots[0], ...Object.fromEntries(lists.map((list) => [list, roots.flatMap((root) => root[list])])) }
}

function next(number: string): string {
  return String(Number(number) + 1)
}

/** Not the last one, which may be beyond the order of the curve's group. */
function middleBit(base64: string): string {
  const bytes = Buffer.from(base64, 'base64')
  const middle = bytes.length >> 1
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle)
  return bytes.toString('base64')
}

function withProofOf(bundle: BundleJson, other: BundleJson): BundleJson {
  const [entry] = [bundle.verificationMaterial['tlogEntries']].flat()
  const [theirs] = [other.verificationMaterial['tlogEntries']].flat()
  const tlogEntries = [{ ...Object(entry), inclusionProof: Object(theirs).inclusionProof }]
  return { ...bundle, verificationMaterial: { ...bundle.verificationMaterial, tlogEntries } }
}

function withTimestampOf(bundle: BundleJson, other: BundleJson): BundleJson {
  const { timestampVerificationData } = other.verificationMaterial
  return { ...bundle, verificationMaterial: { ...bundle.verificationMaterial, timestampVerificationData } }
}
