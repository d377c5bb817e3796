import { DeliveryError } from '../../core/errors.ts'
import type { CatalogueEntry } from '../../core/manifest/catalogue.ts'
import { toArtifact } from '../../core/manifest/manifest.ts'
import { checkManifest, parseManifest, parsePieceList } from '../../core/manifest/parse-manifest.ts'
import { toPieceIndex } from '../../core/model/ids.ts'
import type { SignatureVerifier } from '../../core/ports.ts'
import { pieceHash } from '../../core/verify/piece.ts'
import type { SiteReader } from '../site/site-reader.ts'
import type { SiteWriter } from '../site/site-writer.ts'
import { vouchForArtifact } from '../../core/verify/vouch.ts'
import type { SiteTrust } from '../../core/verify/site-trust.ts'
import { cutFile } from './cut.ts'

export interface SelfCheck {
  readonly reader: SiteReader
  readonly writer: SiteWriter
  readonly trust: SiteTrust
  readonly verifier: SignatureVerifier
}

/**
 * Reads an entry's blobs back as a client would, from the catalogue entry down to each piece: what is about to be named
 * must be there, whole and signed.
 * @throws {DeliveryError} what a client would refuse it for
 */
export async function checkPublished(entry: CatalogueEntry, check: SelfCheck, signal: AbortSignal): Promise<void> {
  const { reader } = check
  const manifest = parseManifest(await reader.readBlob(entry.manifest, 'manifest', signal))
  checkManifest(entry, manifest)
  const { pieces } = manifest
  const hashes =
    pieces.kind === 'inline' ? pieces.hashes : parsePieceList(await reader.readBlob(pieces.list, 'piece-list', signal), pieces.count)
  const artifact = toArtifact(manifest, {
    manifestRef: entry.manifest,
    hashes,
    isMeshAllowed: entry.mesh,
  })
  const cut = await cutFile(check.writer.pathOf(entry.artifact), { pieceLengthBytes: pieces.lengthBytes }, signal)
  if (cut.sizeBytes !== artifact.sizeBytes) {
    throw new DeliveryError({
      code: 'artifact-size',
      expectedBytes: artifact.sizeBytes,
      actualBytes: cut.sizeBytes,
    })
  }
  if (cut.sha256 !== artifact.sha256)
    throw new DeliveryError({
      code: 'artifact-digest',
      expected: artifact.sha256,
      actual: cut.sha256,
    })
  for (let i = 0; i < artifact.pieces.count; i++) {
    const index = toPieceIndex(i)
    if (pieceHash(artifact, index) !== pieceHash(cut, index)) {
      throw new DeliveryError({
        code: 'manifest-mismatch',
        name: entry.name,
        field: `pieces[${i}]`,
      })
    }
  }
  const bundles = await Promise.all(artifact.bundles.map((bundle) => reader.readBlob(bundle, 'bundle', signal)))
  await vouchForArtifact(bundles, { artifact: artifact.sha256, trust: check.trust }, check.verifier)
}
