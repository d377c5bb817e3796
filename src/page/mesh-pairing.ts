import type { SourceId } from '../core/model/ids.ts'
import type { Clock } from '../core/ports.ts'
import { refusePairing } from '../core/wire/pairing-code.ts'
import type { MeshHost } from './mesh-host.ts'

export interface PairingOptions {
  /** Gives the pairing up. A peer that was met stays. */
  readonly signal?: AbortSignal | undefined
}

/** The first code of two, for another browser on this site. */
export interface Pairing {
  /** At most 400 capitals and digits: to be shown as a QR code (`drawQrCode`) or copied. */
  readonly code: string
  /** Unix time. Ten minutes from the beginning. */
  readonly expiresAtSeconds: number
  /**
   * Takes the code that the other browser made of this one. Resolves with the peer, as records name it. One that does not fit may be followed
   * by one that does. @throws {DeliveryError} `pairing-refused`, `peer-timeout`, `peer-closed`, `peer-proof`
   */
  accept(answerCode: string): Promise<string>
  cancel(): void
}

/** The second code, made of the first. */
export interface PairingReply {
  readonly code: string
  readonly expiresAtSeconds: number
  /** Resolves with the peer once the first browser took this code. Rejects as `Pairing.accept`, and when it was cancelled. */
  readonly connected: Promise<string>
  cancel(): void
}

/** Two browsers meet without any server: people carry a code there, and one back. */
export interface PairingPort {
  /**
   * Makes the first code. The user has to have agreed to sharing.
   * @throws {DeliveryError} `pairing-refused` with reason `not-allowed`, `other-tab` or `no-address`
   */
  pair(options?: PairingOptions): Promise<Pairing>
  /** Makes the second code of a first one. @throws {DeliveryError} `pairing-refused` */
  answer(code: string, options?: PairingOptions): Promise<PairingReply>
}

export interface PairingRoom {
  /** Sharing is agreed to, and this site has a mesh. */
  isAllowed(): boolean
  host(): MeshHost | undefined
  /** Tries to get the connections of this origin into this tab. */
  lead(): void
  /** Calls `listener` when `host` changed or peers came or went. Returns what stops it. */
  onChange(listener: () => void): () => void
  /** What keeps the connections here (`isBusy`) has changed. */
  onBusy(): void
  readonly clock: Clock
}

export interface PairingDesk extends PairingPort {
  /** A code waits for its answer, or a paired peer is connected: this tab then keeps the connections, and needs no signaling for it. */
  readonly isBusy: boolean
}

/** Another tab hands over within this, or it does not. */
const LEAD_MS = 4000

export function createPairingDesk(room: PairingRoom): PairingDesk {
  const waiting = new Set<object>()
  const met = new Set<string>()
  room.onChange(() => {
    const present = new Set<string>(room.host()?.peers() ?? [])
    const gone = [...met].filter((peer) => !present.has(peer))
    for (const peer of gone) met.delete(peer)
    if (gone.length > 0) room.onBusy()
  })
  const begin = async <T>(work: (host: MeshHost, signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> => {
    signal.throwIfAborted()
    if (!room.isAllowed()) throw refusePairing('not-allowed', 'sharing with other browsers is off')
    const token = {}
    waiting.add(token)
    signal.addEventListener('abort', () => end(token), { once: true })
    room.onBusy()
    try {
      return await work(await leadingHost(room, signal), signal)
    } catch (error) {
      end(token)
      throw error
    }
  }
  const end = (token: object): void => {
    if (waiting.delete(token)) room.onBusy()
  }
  const keep = (peer: SourceId): string => {
    met.add(peer)
    return peer
  }
  return {
    get isBusy() {
      return waiting.size + met.size > 0
    },
    async pair({ signal } = {}) {
      const { stop, own } = stoppable(signal)
      const { code, expiresAtSeconds, accept } = await begin((host, until) => host.pairing.offer(until), own)
      void lapse(room, stop, expiresAtSeconds)
      return {
        code,
        expiresAtSeconds,
        cancel: () => stop.abort(cancelled()),
        accept: async (answer) => {
          const peer = keep(await accept(answer))
          stop.abort(cancelled())
          return peer
        },
      }
    },
    async answer(text, { signal } = {}) {
      const { stop, own } = stoppable(signal)
      const reply = await begin((host, until) => host.pairing.answer(text, until), own)
      const connected = reply.connected.then(keep).finally(() => stop.abort(cancelled()))
      connected.catch(() => undefined)
      return { code: reply.code, expiresAtSeconds: reply.expiresAtSeconds, connected, cancel: () => stop.abort(cancelled()) }
    },
  }
}

function stoppable(signal: AbortSignal | undefined): { readonly stop: AbortController; readonly own: AbortSignal } {
  const stop = new AbortController()
  return { stop, own: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]) }
}

/** A code that nobody answers does not keep the connections in this tab for ever. */
async function lapse({ clock }: PairingRoom, stop: AbortController, expiresAtSeconds: number): Promise<void> {
  const isDue = await clock.sleep(expiresAtSeconds * 1000 - clock.nowMs(), stop.signal).then(
    () => true,
    () => false,
  )
  if (isDue) stop.abort(refusePairing('expired', 'its time is over'))
}

async function leadingHost(room: PairingRoom, signal: AbortSignal): Promise<MeshHost> {
  room.lead()
  const found = new AbortController()
  const late = room.clock.sleep(LEAD_MS, AbortSignal.any([signal, found.signal]))
  let stop: () => void = () => undefined
  try {
    return await Promise.race([
      late.then((): never => {
        throw refusePairing('other-tab', 'another tab of this browser holds the connections to peers and is using them')
      }),
      new Promise<MeshHost>((resolve) => {
        const look = (): void => {
          const host = room.host()
          if (host !== undefined) resolve(host)
        }
        stop = room.onChange(look)
        look()
      }),
    ])
  } finally {
    found.abort()
    stop()
  }
}

function cancelled(): DOMException {
  return new DOMException('The pairing was cancelled.', 'AbortError')
}
