import { provenanceStatement, type Claims } from 'sealift/node'
import { DEMO_CLAIMS } from '../../demo/stack/publish-demo.ts'
import type { BundleRef } from '../../src/core/model/artifact.ts'
import { encodeCatalogueEnvelope, parseCatalogueEnvelope } from '../../src/core/manifest/parse-envelope.ts'
import { toSha256 } from '../../src/core/model/ids.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { NO_SOURCES, demand, type DrillRoom, type Outcome, type Scenario } from './scenario.ts'
import { strangersAuthority, tamperedSite, type TamperedSite } from './tampered-site.ts'
import { endingWords, finish, openPortal, startDownload, waitForController } from './visit.ts'

const SOMEBODY_ELSE: Claims = {
  ...DEMO_CLAIMS,
  identity: 'https://github.com/somebody/else/.github/workflows/release.yml@refs/tags/v1.4.0',
}
const OTHER_ISSUER: Claims = { ...DEMO_CLAIMS, issuer: 'https://accounts.example.com' }
const NEVER = new AbortController().signal
const FORGED = ['signature-invalid', 'bundle-invalid', 'subject-mismatch']
const OTHER_DIGEST = toSha256('5'.repeat(64))

interface Forgery {
  readonly name: string
  /** Any of these codes is right. */
  readonly codes: readonly string[]
  forge(site: TamperedSite, room: DrillRoom): Promise<void>
}

const CATALOGUES: readonly Forgery[] = [
  {
    name: 'catalogue changed after it was signed',
    codes: FORGED,
    async forge(site) {
      const { payload, bundles } = parseCatalogueEnvelope(await site.readCatalogueFile())
      const text = new TextDecoder().decode(payload)
      const changed = new TextEncoder().encode(text.replace('"version":"', '"version":"9'))
      await site.writeCatalogueFile(encodeCatalogueEnvelope({ payload: changed, bundles }))
    },
  },
  {
    name: 'catalogue signed by another identity',
    codes: ['identity-mismatch'],
    forge: (site) => site.writeCatalogue(site.catalogue, { claims: SOMEBODY_ELSE }),
  },
  {
    name: 'catalogue vouched for by another issuer',
    codes: ['identity-mismatch'],
    forge: (site) => site.writeCatalogue(site.catalogue, { claims: OTHER_ISSUER }),
  },
  {
    name: 'catalogue signed under another trusted root',
    codes: FORGED,
    forge: async (site, room) => site.writeCatalogue(site.catalogue, { authority: await strangersAuthority(room.stack) }),
  },
  {
    name: 'catalogue without a signature',
    codes: ['signature-missing', 'format-invalid'],
    async forge(site) {
      const { payload } = parseCatalogueEnvelope(await site.readCatalogueFile())
      await site.writeCatalogueFile(encodeCatalogueEnvelope({ payload, bundles: [] }))
    },
  },
  {
    name: 'catalogue cut short',
    codes: ['format-invalid'],
    forge: async (site) => site.writeCatalogueFile((await site.readCatalogueFile()).subarray(0, 500)),
  },
  {
    name: 'catalogue larger than any may be',
    codes: ['format-oversized', 'source-length', 'catalogue-unavailable'],
    forge: async (site) => site.writeCatalogueFile(Buffer.concat([await site.readCatalogueFile(), Buffer.alloc(2 * 2 ** 20, 0x20)])),
  },
]

const ARTIFACTS: readonly Forgery[] = [
  { name: 'artifact signed by another identity', codes: ['identity-mismatch'], forge: (site) => signArtifact(site, SOMEBODY_ELSE) },
  { name: 'artifact vouched for by another issuer', codes: ['identity-mismatch'], forge: (site) => signArtifact(site, OTHER_ISSUER) },
  {
    name: 'artifact signed under another trusted root',
    codes: FORGED,
    forge: async (site, room) => signArtifact({ ...site, authority: await strangersAuthority(room.stack) }, DEMO_CLAIMS),
  },
  {
    name: 'artifact with the signature of another file',
    codes: FORGED,
    forge: (site) => signArtifact(site, DEMO_CLAIMS, OTHER_DIGEST),
  },
  {
    name: 'artifact without a signature',
    codes: ['signature-missing'],
    forge: (site) => site.writeManifest({ ...site.manifest, bundles: [] }),
  },
  {
    name: 'artifact without build provenance',
    codes: ['provenance-refused'],
    forge: (site) => site.writeManifest({ ...site.manifest, bundles: site.manifest.bundles.filter(({ kind }) => kind === 'signature') }),
  },
  {
    name: 'artifact with another digest than its pieces make',
    codes: ['artifact-digest'],
    async forge(site) {
      const { entry, manifest } = site
      await site.alias(manifest, { sha256: OTHER_DIGEST, sizeBytes: manifest.sizeBytes })
      const bundles = [await attest(site, DEMO_CLAIMS, OTHER_DIGEST)]
      await site.writeManifest({ ...manifest, sha256: OTHER_DIGEST, bundles }, { artifact: { ...entry.artifact, sha256: OTHER_DIGEST } })
    },
  },
  {
    name: 'artifact of another size than the catalogue says',
    codes: ['manifest-mismatch'],
    forge: (site) => site.writeManifest(site.manifest, { artifact: { ...site.entry.artifact, sizeBytes: site.manifest.sizeBytes + 1 } }),
  },
  {
    name: 'manifest changed after the catalogue named it',
    codes: ['blob-unavailable', 'blob-mismatch'],
    async forge(site) {
      const { manifest, entry } = site
      const liar = await site.putBlob(new TextEncoder().encode('x'.repeat(entry.manifest.sizeBytes)))
      const named = {
        sha256: sha256Of(new TextEncoder().encode(`${manifest.sha256} nobody has this`)),
        sizeBytes: entry.manifest.sizeBytes,
      }
      await site.alias(liar, named)
      const artifacts = site.catalogue.artifacts.map((item) => (item === entry ? { ...item, manifest: named } : item))
      await site.writeCatalogue({ ...site.catalogue, artifacts })
    },
  },
]

/** What is not what it says is refused, with a code and a next step, and nothing of it can be read. */
export const refusalScenarios: readonly Scenario[] = [...CATALOGUES, ...ARTIFACTS].map((forgery) => ({
  group: 'refusal',
  name: forgery.name,
  run: (room) => refuse(room, forgery),
}))

async function refuse(room: DrillRoom, forgery: Forgery): Promise<Outcome> {
  const { stack, small } = room
  const site = await tamperedSite(stack, small.name)
  await forgery.forge(site, room)
  await stack.set('gateway', 'down')
  await stack.serveSite(site.dir)
  const page = await openPortal((await room.launch()).browser, stack.urls.portal)
  await waitForController(page)
  await startDownload(page, small.name)
  const { ending } = await finish(page)
  if (ending.kind !== 'refused') throw new Error(`not so: it is refused; it ended ${endingWords(ending)}`)
  demand(forgery.codes.includes(ending.code), `its code is ${forgery.codes.join(' or ')}, not ${ending.code}`)
  demand(ending.nextStep.length > 10, 'it says what to do')
  const found = await page.evaluate(readableBytes, [small.artifact.sha256, '5'.repeat(64)])
  // The floor is a version and a digest of the catalogue: it has nothing of an artifact, and has to stay.
  const readable = found.filter((path) => !path.includes('/catalogue-floor'))
  demand(readable.length === 0, `nothing of it stays readable, not ${readable.join(', ')}`)
  return { recoveryMs: null, sources: NO_SOURCES }
}

async function signArtifact(site: TamperedSite, claims: Claims, digest = site.manifest.sha256): Promise<void> {
  await site.writeManifest({ ...site.manifest, bundles: [await attest(site, claims, digest)] })
}

async function attest(site: TamperedSite, claims: Claims, sha256: typeof site.manifest.sha256): Promise<BundleRef> {
  const build = {
    repository: 'https://github.com/sealift-demo/edge',
    ref: 'refs/tags/v1.4.0',
    commit: '0'.repeat(40),
    workflowPath: '.github/workflows/release.yml',
    builderId: claims.identity,
    invocationId: 'https://github.com/sealift-demo/edge/actions/runs/1/attempts/1',
    finishedAtSeconds: Math.floor(Date.now() / 1000),
  }
  const statement = provenanceStatement({ name: site.manifest.filename, sha256 }, build)
  return { ...(await site.putBlob(await site.authority.attest(statement, claims, NEVER))), kind: 'attestation' }
}

/** Runs in the page of a fresh profile, where nothing else was fetched: every place with bytes that can be read after a refusal. */
async function readableBytes(digests: readonly string[]): Promise<readonly string[]> {
  const found: string[] = []
  for (const digest of digests) {
    const response = await fetch(`/_sealift/sha256/${digest}/file`)
    if (response.ok) found.push(`the virtual URL of ${digest}`)
  }
  const walk = async (folder: FileSystemDirectoryHandle, path: string): Promise<void> => {
    for await (const [name, handle] of folder.entries()) {
      if (handle instanceof FileSystemDirectoryHandle) await walk(handle, `${path}/${name}`)
      else if (handle instanceof FileSystemFileHandle && (await handle.getFile()).size > 0) found.push(`${path}/${name}`)
    }
  }
  await walk(await navigator.storage.getDirectory(), '')
  return found
}
