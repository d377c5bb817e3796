import type { CatalogueEntry } from '../../core/manifest/catalogue.ts'
import type { SignatureVerifier } from '../../core/ports.ts'
import { readPublished, requireBytes } from '../site/published-artifact.ts'
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
  const { artifact, bundles } = await readPublished(entry, check.reader, signal)
  const { lengthBytes } = artifact.pieces
  requireBytes(artifact, await cutFile(check.writer.pathOf(entry.artifact), { pieceLengthBytes: lengthBytes }, signal))
  await vouchForArtifact(bundles, { artifact: artifact.sha256, trust: check.trust }, check.verifier)
}
