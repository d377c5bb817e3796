import type { Failure } from '../errors.ts'
import type { Sha256 } from '../model/ids.ts'
import type { ArtifactRequest } from './delivery-event.ts'

/** What pages and the service worker say to each other. A page of one release may meet a worker of another, so each message says its version. */
export const WORKER_VERSION = 1

/** From a page. */
export type ToWorkerMessage =
  /** Take control of pages that were loaded without you: first load, hard reload. */
  | { readonly sealift: number; readonly type: 'claim' }
  /** Take over from the old worker now; sent only while no transfer runs. */
  | { readonly sealift: number; readonly type: 'activate' }
  /** Keeps the worker awake while a request of it waits. Firefox ends an idle worker after 30 s. */
  | { readonly sealift: number; readonly type: 'ping' }
  /** A newer catalogue was accepted: other plain URLs may stand for artifacts now. */
  | { readonly sealift: number; readonly type: 'refresh' }

/** From the worker to one page, with a port to answer on. */
export type ToPageMessage = { readonly sealift: number; readonly type: 'need'; readonly request: ArtifactRequest }

/** On that port. */
export type NeedAnswer =
  | { readonly type: 'accepted' }
  /** Verified: the very file that the page would get. `blob` is a `Blob`. */
  | {
      readonly type: 'ready'
      readonly sha256: Sha256
      readonly blob: unknown
      readonly filename: string
      readonly mediaType: string
    }
  | { readonly type: 'failed'; readonly failure: Failure }
