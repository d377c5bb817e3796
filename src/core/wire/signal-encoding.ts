import { fitsUtf8 } from '../json/utf8-size.ts'
import { LIMITS } from '../limits.ts'
import { refuseSignal, type ClientSignal, type ServerSignal, type SigBody, type WelcomeSignal } from './signal-message.ts'
import { credentialOf } from './ticket.ts'

/** @throws {DeliveryError} `signal-invalid` when it would be longer than a server takes */
export function encodeClientSignal(signal: ClientSignal): string {
  switch (signal.type) {
    case 'hello': {
      const { type, v, token, ticket, resume, rooms } = signal
      return encode({
        type,
        v,
        token,
        ticket: ticket === undefined ? undefined : credentialOf(ticket),
        resume,
        rooms: rooms.length === 0 ? undefined : rooms,
      })
    }
    case 'sig':
      return encode({ ...sigFields(signal), to: signal.to })
    case 'join':
    case 'leave':
    case 'report':
    case 'bye':
      return encode(signal)
  }
}

/** @throws {DeliveryError} `signal-invalid` when it would be longer than a client takes */
export function encodeServerSignal(signal: ServerSignal): string {
  if (signal.type === 'peers') return encodePeers(signal)
  if (signal.type === 'welcome') return encodeWelcome(signal)
  return encode(signal.type === 'sig' ? { ...sigFields(signal), from: signal.from } : signal)
}

// What everybody is told who joins is written by hand, which is faster than JSON.stringify: everybody comes at once. Ids have nothing that it would escape.

function encodeWelcome({ id, resume, token, tokenExpiresAtSeconds, ice, serverTime }: WelcomeSignal): string {
  const ticket = token === undefined ? '' : `"token":${JSON.stringify(token)},`
  const end = tokenExpiresAtSeconds === undefined ? '' : `"tokenExpiresAtSeconds":${tokenExpiresAtSeconds},`
  const servers = ice.length === 0 ? '[]' : JSON.stringify(ice)
  return checked(
    `{"type":"welcome","id":"${id}","resume":${JSON.stringify(resume)},${ticket}${end}"ice":${servers},"serverTime":${serverTime}}`,
  )
}

function encodePeers({ swarm, peers }: Extract<ServerSignal, { type: 'peers' }>): string {
  let list = ''
  for (const { id, role, lan } of peers) list += `${list === '' ? '' : ','}{"id":"${id}","role":"${role}","lan":${lan}}`
  return checked(`{"type":"peers","swarm":"${swarm}","peers":[${list}]}`)
}

/** Rebuilt field by field, since WebRTC libraries hand over objects that carry more than what may pass. */
function sigFields(signal: SigBody): SigBody {
  const { type, swarm, sid } = signal
  if (signal.kind === 'end') return { type, swarm, sid, kind: signal.kind }
  if (signal.kind !== 'candidate')
    return {
      type,
      swarm,
      sid,
      kind: signal.kind,
      sdp: { type: signal.sdp.type, sdp: signal.sdp.sdp },
    }
  const { candidate, sdpMid, sdpMLineIndex } = signal.candidate
  return { type, swarm, sid, kind: signal.kind, candidate: { candidate, sdpMid, sdpMLineIndex } }
}

function encode(message: unknown): string {
  return checked(JSON.stringify(message))
}

function checked(text: string): string {
  if (!fitsUtf8(text, LIMITS.signalBytes)) throw refuseSignal('$', `expected at most ${LIMITS.signalBytes} bytes`)
  return text
}
