/** How big anything may be. Checked before allocation, everywhere; figures from the threat model (docs/threat-model.md). */

const KIB = 1024
const MIB = 1024 * KIB

export const LIMITS = {
  /** A catalogue file as served, signature included. */
  catalogueBytes: 2 * MIB,
  manifestBytes: 64 * KIB,
  /** Flat SHA-256 list: 65,536 pieces, which is 64 GiB at 1 MiB. */
  pieceListBytes: 2 * MIB,
  bundleBytes: 256 * KIB,
  trustUpdateBytes: 512 * KIB,
  siteConfigBytes: 64 * KIB,
  /** Signers, or types of provenance, in one list of a `trust` section. */
  trustListEntries: 32,
  /** Trusted roots in one. */
  trustedRoots: 8,
  /** The most log entries, or timestamps, that one may ask for. */
  witnessesAsked: 16,
  /** Of any JSON that we parse. */
  jsonDepth: 32,
  artifactsInCatalogue: 10_000,
  originsInCatalogue: 64,
  aliasesPerArtifact: 16,
  deniedDigests: 10_000,
  signaturesPerCatalogue: 8,
  /** Those who signed before and those who sign from now on. */
  signaturesPerTrustUpdate: 16,
  /** Trust updates that one look at the sources may bring. */
  trustUpdateSteps: 32,
  bundlesPerArtifact: 16,
  /** Log entries or timestamps in one bundle. Each costs signature checks, in a worker that answers nothing meanwhile. */
  witnessesPerBundle: 8,
  /** Hashes on the way from a log entry to the root of its tree. */
  proofHashes: 64,
  /** A certificate, key, signature or timestamp in base64. Real ones have some 2,000; one of 180,000 kept a verifier busy for 0.2 s. */
  bundleFieldCharacters: 32_768,
  /** A log's signed note about its tree, with the signatures of those who watch it. */
  checkpointCharacters: 8192,
  /** Pieces whose hashes may stand in the manifest itself. */
  inlinePieces: 64,
  pieceLengthMinBytes: 64 * KIB,
  pieceLengthMaxBytes: 4 * MIB,
  /** Largest artifact: 2^40 bytes, safely below the integers that a double holds. */
  artifactBytes: 2 ** 40,
  filenameCharacters: 200,
  textCharacters: 2000,
  /** Peer frame with its 16-byte header. Chromium and Firefox both carry 256 KiB; 64 KiB measured fastest. */
  frameBytes: 64 * KIB,
  /** JSON payload inside a peer frame. */
  frameJsonBytes: 16 * KIB,
  /** One message to or from the signaling server. */
  signalBytes: 16 * KIB,
  sdpBytes: 12 * KIB,
  candidateBytes: 512,
  candidatesPerPeer: 16,
  /** A membership ticket or a session token, as text. */
  ticketBytes: 2 * KIB,
  /** Peers that one signaling message may name. */
  peersPerSignal: 64,
  /** Messages that a client may send to a signaling server: so many at once, and so many per second from then on. */
  signalBurst: 40,
  signalsPerSecond: 20,
  /** STUN and TURN servers that one signaling message may name. */
  iceServers: 8,
  /** A source may put itself to sleep for as long, and no longer. */
  retryAfterSeconds: 60,
  /** A finished artifact that the service worker may assemble alone, with no page to help. */
  serviceWorkerAloneBytes: 16 * MIB,
  /** Held in memory when neither OPFS nor IndexedDB can be used. */
  memoryStoreBytes: 64 * MIB,
} as const
