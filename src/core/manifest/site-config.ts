import type { Signer, Thresholds } from '../verify/identity-policy.ts'
import type { ProvenancePolicy } from '../verify/provenance-policy.ts'
import type { UploadLimits } from '../plan/upload-limits.ts'
import type { Tier } from '../ports.ts'

/** A LAN gateway, and the address space a browser must be told to reach it in (Local Network Access). */
export interface GatewayConfig {
  readonly id: string
  /** Base URL, ending in `/`. */
  readonly url: string
  /** `local` lets an https page reach an http gateway, from a window only. Undefined: an ordinary request. */
  readonly addressSpace: 'local' | 'loopback' | undefined
}

export interface CdnOriginConfig {
  readonly id: string
  /** Base URL, ending in `/`. */
  readonly url: string
}

export type MeshMode = 'off' | 'lan' | 'full' | 'relay'

export interface MeshConfig {
  readonly mode: MeshMode
  /** `wss:` URLs, tried in parallel. */
  readonly signaling: readonly string[]
  /** Where a page gets its membership ticket while the portal is up; undefined where admission is open. */
  readonly ticketUrl: string | undefined
  /** STUN and TURN servers the site names. Empty: host candidates only, and nobody else is contacted. */
  readonly iceServers: readonly { readonly urls: string; readonly username: string | undefined; readonly credential: string | undefined }[]
  /** What a visitor gives to peers, at most. Undefined: `DEFAULT_UPLOAD`. */
  readonly upload?: UploadLimits | undefined
}

/** Who may sign, and who the Sigstore witnesses are. Pinned by the portal's own origin. */
export interface TrustConfig {
  readonly catalogueSigners: readonly Signer[]
  readonly artifactSigners: readonly Signer[]
  /** How many different ones of them must have signed. */
  readonly minSigners: { readonly catalogue: number; readonly artifacts: number }
  /** Sigstore `trusted_root.json`, parsed JSON, or a list of them; undefined when only keys sign. */
  readonly trustedRoot: unknown
  readonly thresholds: Thresholds
  /** What SLSA provenance has to say. */
  readonly provenance: ProvenancePolicy
  /** A TUF repository that may add a trusted root to the pinned ones, and its `root.json`, parsed JSON, which it is judged by. */
  readonly refresh?: { readonly url: string; readonly root: object } | undefined
  /** Lowest catalogue version ever accepted: the floor of a first visit. */
  readonly minimumVersion: number
  /** Number of the trust update that this section stands for: 0 before the first. */
  readonly version: number
  /** Who may put another section in its place, by a trust update. Undefined: nobody, and none is asked for. */
  readonly updates: { readonly signers: readonly Signer[]; readonly minSigners: number } | undefined
}

export type DeliveryPreset = 'cdn-first' | 'lan-first' | 'offline-lan'

/** `/sealift.json` of a portal. */
export interface SiteConfig {
  readonly schema: 1
  readonly repository: string
  readonly origins: readonly CdnOriginConfig[]
  readonly gateways: readonly GatewayConfig[]
  readonly preset: DeliveryPreset
  /** Overrides the preset's order. */
  readonly tiers: readonly Tier[] | undefined
  readonly mesh: MeshConfig
  readonly trust: TrustConfig
  /** Ceiling on the catalogue's own grace. Default 7 days. */
  readonly maxGraceSeconds: number
}
