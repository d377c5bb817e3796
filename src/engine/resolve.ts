import { DeliveryError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { CatalogueEntry } from '../core/manifest/catalogue.ts'
import { bucketOf, chooseByAlias, chooseByDigest, chooseEntry, type ArtifactWish } from '../core/manifest/choose.ts'
import { toArtifact, type Manifest } from '../core/manifest/manifest.ts'
import { checkManifest, parseManifest, parsePieceList } from '../core/manifest/parse-manifest.ts'
import type { Artifact, BlobRef } from '../core/model/artifact.ts'
import type { DocumentKind } from '../core/errors.ts'
import { deliveryPolicy, type DeliveryPolicy } from '../core/plan/policy.ts'
import { sha256Of } from '../core/verify/digest.ts'
import type { ArtifactRequest } from '../core/wire/delivery-event.ts'
import { fetchBlob } from '../scheduler/fetch-blob.ts'
import type { CatalogueAnswer, CatalogueDesk, CatalogueQuestion } from './catalogue-desk.ts'
import type { EngineParts } from './parts.ts'
import type { Task } from './task.ts'

/** A request that has become a thing to fetch. */
export interface Resolved {
  readonly answer: CatalogueAnswer
  readonly freshness: 'fresh' | 'stale' | 'pinned'
  readonly entry: CatalogueEntry
  readonly artifact: Artifact
}

/** A line of the catalogue that answers a request. */
export type Chosen = Pick<Resolved, 'answer' | 'freshness' | 'entry'>

/** From a wish to a line of the signed catalogue. @throws {DeliveryError} what the catalogue or the choice says */
export async function chooseArtifact(
  parts: EngineParts,
  desk: CatalogueDesk,
  { request, tell }: { readonly request: ArtifactRequest } & Pick<CatalogueQuestion, 'tell'>,
  signal: AbortSignal,
): Promise<Chosen> {
  const answer = await desk.current({ isPinned: request.kind === 'digest', tell }, signal)
  const freshness = freshnessFor(answer, request)
  const isRollingOut = answer.catalogue.artifacts.some(({ rollout }) => rollout < 100)
  const seed = isRollingOut ? await clientSeed(parts, signal) : 0
  return { answer, freshness, entry: choose(answer, request, (entry) => bucketOf(seed, entry)) }
}

/** From a line of the catalogue to the artifact, by way of its manifest. @throws {DeliveryError} what the documents say */
export async function openArtifact(
  parts: EngineParts,
  { chosen, task }: { readonly chosen: Chosen; readonly task: Task },
  signal: AbortSignal,
): Promise<Resolved> {
  const { answer, freshness, entry } = chosen
  const documents = { parts, task }
  const manifest = parseManifest(
    await readDocument(documents, { ref: entry.manifest, kind: 'manifest', limitBytes: LIMITS.manifestBytes }, signal),
  )
  checkManifest(entry, manifest)
  const hashes = await readHashes(documents, manifest, signal)
  const artifact = toArtifact(manifest, { manifestRef: entry.manifest, hashes, isMeshAllowed: entry.mesh })
  return { answer, freshness, entry, artifact }
}

/** Tiers and their order for a chosen entry. Only what the publisher marked may be asked of strangers. */
export function policyFor(parts: EngineParts, { answer, entry }: Chosen): DeliveryPolicy {
  const policy = deliveryPolicy(parts.config.preset, parts.config.tiers, answer.catalogue.delivery.tiers)
  if (entry.mesh) return policy
  const [first, ...rest] = policy.tiers.filter((tier) => tier !== 'mesh')
  return first === undefined ? policy : { tiers: [first, ...rest] }
}

function freshnessFor({ freshness, catalogue, nowSeconds }: CatalogueAnswer, request: ArtifactRequest): Resolved['freshness'] {
  if (freshness !== 'expired') return freshness
  if (request.kind === 'digest') return 'pinned'
  throw new DeliveryError({ code: 'catalogue-expired', expiredAtSeconds: catalogue.expiresAtSeconds, nowSeconds })
}

function choose({ catalogue }: CatalogueAnswer, request: ArtifactRequest, clientBucket: ArtifactWish['clientBucket']): CatalogueEntry {
  switch (request.kind) {
    case 'name':
      return chooseEntry(catalogue, { ...request, clientBucket })
    case 'digest':
      return chooseByDigest(catalogue, request.sha256)
    case 'alias': {
      const entry = chooseByAlias(catalogue, request.url, { clientBucket })
      if (entry === undefined) throw new DeliveryError({ code: 'artifact-unknown', name: request.url, version: undefined })
      return entry
    }
  }
}

const SEED_KEY = 'client-seed'

/** 0 to below 1, drawn once for this browser: what decides when a roll-out reaches it. */
async function clientSeed({ memory, random }: EngineParts, signal: AbortSignal): Promise<number> {
  const kept = await memory.records.get(SEED_KEY, signal)
  if (typeof kept === 'number' && kept >= 0 && kept < 1) return kept
  const drawn = random()
  await memory.records.put(SEED_KEY, drawn, signal)
  return drawn
}

interface DocumentRoom {
  readonly parts: EngineParts
  readonly task: Task
}

async function readHashes(room: DocumentRoom, manifest: Manifest, signal: AbortSignal): Promise<Uint8Array> {
  const { pieces } = manifest
  if (pieces.kind === 'inline') return pieces.hashes
  return parsePieceList(
    await readDocument(room, { ref: pieces.list, kind: 'piece-list', limitBytes: LIMITS.pieceListBytes }, signal),
    pieces.count,
  )
}

/** A document by its digest: from what is kept, re-hashed, else from the sources. */
export async function readDocument(
  { parts, task }: DocumentRoom,
  wanted: { readonly ref: BlobRef; readonly kind: DocumentKind; readonly limitBytes: number },
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { ref, kind, limitBytes } = wanted
  if (ref.sizeBytes > limitBytes) throw new DeliveryError({ code: 'format-oversized', document: kind, limitBytes })
  task.documents.add(ref.sha256)
  const kept = await parts.memory.documents.get(ref.sha256, signal)
  if (kept !== undefined && sha256Of(kept) === ref.sha256) return kept
  const bytes = await fetchBlob(ref, task.tools, signal)
  // Beside what comes next, which needs the bytes and not the copy. What cannot be kept is fetched again another time.
  task.writes.push(parts.memory.documents.put(ref.sha256, bytes, signal).catch(() => undefined))
  return bytes
}
