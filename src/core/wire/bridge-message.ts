import type { Failure } from '../errors.ts'
import type { SiteConfig } from '../manifest/site-config.ts'
import type { BlobRef, ByteRange } from '../model/artifact.ts'
import type { PieceIndex, Sha256, SourceId } from '../model/ids.ts'
import type { Tier } from '../ports.ts'
import type { ArtifactFacts, ArtifactRequest, CatalogueFacts, DeliveryEvent } from './delivery-event.ts'

/**
 * What a page and its engine, a dedicated worker, say to each other by `postMessage`. Both come from one build and one origin; `version` guards
 * against a page and a worker of different releases meeting.
 */
export const BRIDGE_VERSION = 1

/** A source that lives in the window (peers, http gateways) as the engine sees it. */
export interface WindowSource {
  readonly id: SourceId
  readonly tier: Tier
  readonly maxRunPieces: number
  /** It can also be asked for the catalogue. */
  readonly hasCatalogue: boolean
  /** The link to it stays in the local network. That may change while it lasts. */
  readonly isLan: boolean
}

export type PageMessage =
  | { readonly type: 'open'; readonly version: number; readonly configUrl: string }
  | { readonly type: 'deliver'; readonly call: number; readonly request: ArtifactRequest }
  | { readonly type: 'cancel'; readonly call: number }
  | { readonly type: 'list'; readonly call: number }
  | { readonly type: 'forget'; readonly call: number; readonly sha256: Sha256 | undefined }
  | { readonly type: 'audit'; readonly call: number }
  /** The browser says that the network is there again. Only windows hear of it in every browser. */
  | { readonly type: 'online' }
  /** All sources of the window, whenever the set changes. */
  | {
      readonly type: 'sources'
      readonly sources: readonly WindowSource[]
      readonly isGrowing: boolean
    }
  /** Which pieces of a blob a source has: bits as in `Bitfield`, or all. */
  | {
      readonly type: 'offers'
      readonly source: SourceId
      readonly sha256: Sha256
      readonly bits: Uint8Array | 'all'
    }
  | { readonly type: 'read-data'; readonly read: number; readonly bytes: Uint8Array }
  | { readonly type: 'read-end'; readonly read: number }
  | { readonly type: 'read-failed'; readonly read: number; readonly failure: Failure }
  /** This window begins to give to peers, or ends: while it does, the engine says what there is. */
  | { readonly type: 'seeding'; readonly isOn: boolean }
  /** The seeder asks for what the engine keeps. */
  | {
      readonly type: 'seed-read'
      readonly call: number
      readonly sha256: Sha256
      readonly piece: number
    }
  /** `trust` 0: the catalogue; else the trust update of this number. */
  | { readonly type: 'seed-catalogue'; readonly call: number; readonly trust: number }

/** The part of the site's configuration that a window needs; the engine has read and checked it. */
export type SiteFacts = Pick<SiteConfig, 'repository' | 'gateways' | 'mesh'>

/** Something that peers may be given, wholly or in part. */
export interface Seedable {
  readonly sha256: Sha256
  readonly sizeBytes: number
  readonly pieceLengthBytes: number
  /** Peers meet around artifacts; documents go with them. */
  readonly role: 'artifact' | 'document'
  /** Those that are kept: bits as in `Bitfield`, at least one, or all. */
  readonly pieces: Uint8Array | 'all'
}

export type EngineMessage =
  | {
      readonly type: 'opened'
      readonly version: number
      readonly site: SiteFacts
      readonly ticket: string | undefined
    }
  | { readonly type: 'open-failed'; readonly failure: Failure }
  | { readonly type: 'event'; readonly call: number; readonly event: DeliveryEvent }
  | {
      readonly type: 'delivered'
      readonly call: number
      /** A `Blob`. */
      readonly blob: unknown
      readonly artifact: ArtifactFacts
      /** The audit record as written. */
      readonly record: Uint8Array
    }
  | {
      readonly type: 'listed'
      readonly call: number
      readonly catalogue: CatalogueFacts
      readonly artifacts: readonly ListedArtifact[]
    }
  | { readonly type: 'done'; readonly call: number }
  | { readonly type: 'audited'; readonly call: number; readonly lines: readonly string[] }
  /** Any call may end so. `cancelled` when the page asked for it. */
  | { readonly type: 'failed'; readonly call: number; readonly failure: Failure | 'cancelled' }
  /** What all tasks of the engine need of the window now, whenever that changes. */
  | { readonly type: 'needs'; readonly arePeersWanted: boolean; readonly artifacts: readonly Sha256[] }
  | {
      readonly type: 'read'
      readonly read: number
      readonly source: SourceId
      readonly blob: BlobRef
      readonly range: ByteRange
    }
  | {
      readonly type: 'read-catalogue'
      readonly read: number
      readonly source: SourceId
      /** 0: the catalogue; else the trust update of this number. */
      readonly trust: number
      readonly limitBytes: number
    }
  | { readonly type: 'read-cancel'; readonly read: number }
  /** A source of the window sent wrong bytes: it is not asked again, and shall not be met again. */
  | { readonly type: 'banned'; readonly source: SourceId }
  /** All that this browser can seed, whenever that changes in another way than by more pieces. */
  | { readonly type: 'seedable'; readonly blobs: readonly Seedable[] }
  /** More pieces of something that the last `seedable` named. */
  | { readonly type: 'seed-pieces'; readonly sha256: Sha256; readonly pieces: readonly PieceIndex[] }
  | { readonly type: 'seed-bytes'; readonly call: number; readonly bytes: Uint8Array | undefined }
  /** Starts a thread for the engine, which speaks over the port that comes along; without a script, ends it. */
  | { readonly type: 'thread'; readonly thread: number; readonly script: ThreadScript | undefined }

/** Lies in `chunks/`, beside the engine. */
export type ThreadScript = (typeof THREAD_SCRIPTS)[number]
export const THREAD_SCRIPTS = ['hasher', 'files'] as const

/** One line of `list()`. */
export interface ListedArtifact {
  readonly name: string
  readonly version: string
  readonly platform: string | undefined
  readonly channel: string | undefined
  readonly sizeBytes: number
  readonly sha256: Sha256
  readonly isYanked: boolean
  readonly isDenied: boolean
  /** Plain URLs that stand for it. */
  readonly aliases: readonly string[]
}
