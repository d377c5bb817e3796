/** What a page gives to peers, at most. A site may say otherwise in `mesh.upload` of `sealift.json`. */
export interface UploadLimits {
  /** Peers that are served at the same time. 0: none, this site's visitors only take. */
  readonly slots: number
  /** To all peers outside the local network together. 0: nothing leaves it. */
  readonly wanBytesPerSecond: number
  /** To all peers within it together. Undefined: as fast as it goes. */
  readonly lanBytesPerSecond: number | undefined
  /** To peers outside the local network, as long as the page lives. */
  readonly sessionBytes: number
}

export const DEFAULT_UPLOAD: UploadLimits = {
  slots: 4,
  wanBytesPerSecond: 4_000_000,
  lanBytesPerSecond: undefined,
  sessionBytes: 1024 ** 3,
}

/** Bounds of what a site may say. A slower rate than the least could not keep one peer's deadlines. */
export const UPLOAD_BOUNDS = {
  slots: 16,
  bytesPerSecondLeast: 128 * 1024,
  bytesPerSecondMost: 1024 ** 3,
  sessionBytes: 2 ** 40,
} as const

/** Of a seed that its operator keeps for others to take from: as fast as it goes, without end. */
export const SEED_UPLOAD: UploadLimits = {
  ...DEFAULT_UPLOAD,
  wanBytesPerSecond: UPLOAD_BOUNDS.bytesPerSecondMost,
  sessionBytes: Number.MAX_SAFE_INTEGER,
}

/** Nothing at all, or enough that one peer is served within its deadlines. */
export function isUploadRate(bytesPerSecond: number): boolean {
  const { bytesPerSecondLeast, bytesPerSecondMost } = UPLOAD_BOUNDS
  return bytesPerSecond === 0 || (bytesPerSecond >= bytesPerSecondLeast && bytesPerSecond <= bytesPerSecondMost)
}

/** How much of a second's bytes may go at once after a pause: over any five seconds or more, at most 5 % above the rate. */
export const BURST_SECONDS = 0.25

/** Peers outside the local network that the rate can serve without one of them waiting too long for its first byte. */
export function wanSlots({ slots, wanBytesPerSecond }: UploadLimits): number {
  return Math.min(slots, Math.floor(wanBytesPerSecond / UPLOAD_BOUNDS.bytesPerSecondLeast))
}
