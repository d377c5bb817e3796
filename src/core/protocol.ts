/** What a signaling server, a ticket office or a third party's peer needs of Sealift's wire formats. */

export { DeliveryError, describeFailure, failureOf, type Failure } from './errors.ts'
export { LIMITS } from './limits.ts'
export { isPeerId, isSha256, isSwarmId, toPeerId, toSha256, toSwarmId, type PeerId, type Sha256, type SwarmId } from './model/ids.ts'
export type { Clock } from './ports.ts'
export { fromBase64Url, toBase64Url } from './base64.ts'
export { encodeClientSignal, encodeServerSignal } from './wire/signal-encoding.ts'
export {
  CLOSE_CODES,
  ERROR_CODES,
  parseClientSignal,
  parseServerSignal,
  REPORT_REASONS,
  ROOMS_PER_CONNECTION,
  SIGNALING_VERSION,
  type ClientSignal,
  type HelloSignal,
  type RoomWish,
  type IceCandidate,
  type IceServer,
  type Negotiation,
  type PeerInfo,
  type PeerRole,
  type ReportReason,
  type ServerSignal,
  type SessionDescription,
  type SignalErrorCode,
  type WelcomeSignal,
} from './wire/signal-message.ts'
export {
  catalogueSwarmOf,
  CLOCK_SKEW_SECONDS,
  credentialOf,
  equalInConstantTime,
  mintSessionToken,
  mintTicket,
  openSwarmKey,
  parseTicket,
  peerProof,
  SESSION_TOKEN_MAX_SECONDS,
  swarmIdOf,
  TICKET_MAX_SECONDS,
  verifySessionToken,
  verifyTicket,
  type CredentialRefusal,
  type CredentialVerdict,
  type MemberClaims,
  type NewTicket,
  type PeerHandshake,
  type SessionToken,
  type Ticket,
  type TicketKey,
} from './wire/ticket.ts'
export { parseTicketKeys, type TicketKeys } from './wire/ticket-keys.ts'
