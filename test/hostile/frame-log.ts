import type { Page } from 'puppeteer-core'

/** One request for a piece that a page sent over a data channel, and what came for it. Times are Unix milliseconds at the page. */
export interface AskedPiece {
  readonly atMs: number
  /** SHA-256 of the certificate of whoever was asked, as its description says it. */
  readonly peer: string
  readonly piece: number
  endedMs?: number
  receivedBytes: number
}

declare global {
  interface Window {
    askedPieces?: AskedPiece[]
  }
}

/** Has the page write down each request for a piece, whoever asks for it. Before the page is opened. */
export async function logFrames(page: Page): Promise<void> {
  await page.evaluateOnNewDocument(watchFrames)
}

export async function askedPieces(page: Page): Promise<readonly AskedPiece[]> {
  return page.evaluate(() => window.askedPieces ?? [])
}

/** Certificates of those to whom the page has a connection that stands. */
export async function connectedTo(page: Page): Promise<readonly string[]> {
  return page.evaluate(() =>
    (window.drillConnections ?? [])
      .filter(({ connectionState }) => connectionState === 'connected')
      .map(({ remoteDescription }) => /a=fingerprint:sha-256 (\S+)/i.exec(remoteDescription?.sdp ?? '')?.[1]?.toLowerCase() ?? ''),
  )
}

export interface OwedPiece {
  readonly piece: number
  /** What came of it before. */
  readonly receivedBytes: number
  /** When it was first asked for elsewhere. */
  readonly elsewhereMs: number | undefined
}

/** What a peer had been asked for at `atMs` and has not sent to this day: of a piece that came whole, the end may be missing. */
export function owedBy(
  asked: readonly AskedPiece[],
  peer: string,
  { atMs, pieceBytes }: { readonly atMs: number; readonly pieceBytes: number },
): readonly OwedPiece[] {
  const owed = asked.filter((one) => one.peer === peer && one.atMs <= atMs && one.endedMs === undefined && one.receivedBytes < pieceBytes)
  return owed.map(({ piece, receivedBytes }) => {
    const elsewhere = asked.filter((one) => one.peer !== peer && one.piece === piece).map((one) => one.atMs)
    return { piece, receivedBytes, elsewhereMs: elsewhere.length === 0 ? undefined : Math.min(...elsewhere) }
  })
}

/** Runs in the page before anything else does. */
function watchFrames(): void {
  const asked: AskedPiece[] = []
  window.askedPieces = asked
  const open = new WeakMap<RTCDataChannel, Map<number, AskedPiece>>()
  const owners = new WeakMap<RTCDataChannel, RTCPeerConnection>()
  const peerOf = (channel: RTCDataChannel): string =>
    /a=fingerprint:sha-256 (\S+)/i.exec(owners.get(channel)?.remoteDescription?.sdp ?? '')?.[1]?.toLowerCase() ?? ''
  const viewOf = (data: unknown): DataView | undefined => {
    if (data instanceof ArrayBuffer) return new DataView(data)
    return ArrayBuffer.isView(data) ? new DataView(data.buffer, data.byteOffset, data.byteLength) : undefined
  }
  const onFrame = (channel: RTCDataChannel, data: unknown): void => {
    const view = viewOf(data)
    const code = view?.getUint8(0) ?? 0
    if (view === undefined || code < 9 || code > 12) return
    const request = open.get(channel)?.get(view.getUint32(4))
    if (request === undefined) return
    if (code === 9) request.receivedBytes += view.byteLength - 16
    else request.endedMs ??= Date.now()
  }
  const watch = (channel: RTCDataChannel, owner: RTCPeerConnection): void => {
    owners.set(channel, owner)
    channel.addEventListener('message', (event) => onFrame(channel, event.data))
  }
  const send = RTCDataChannel.prototype.send as (this: RTCDataChannel, data: unknown) => void
  RTCDataChannel.prototype.send = function (this: RTCDataChannel, data: unknown) {
    const view = viewOf(data)
    const code = view?.getUint8(0)
    if (view !== undefined && code === 7) {
      const one = { atMs: Date.now(), peer: peerOf(this), piece: view.getUint32(8), receivedBytes: 0 }
      asked.push(one)
      const requests = open.get(this) ?? new Map<number, AskedPiece>()
      open.set(this, requests.set(view.getUint32(4), one))
    }
    send.call(this, data)
  } as typeof RTCDataChannel.prototype.send
  const Original = window.RTCPeerConnection
  window.RTCPeerConnection = class extends Original {
    constructor(configuration?: RTCConfiguration) {
      super(configuration)
      this.addEventListener('datachannel', ({ channel }) => watch(channel, this))
    }
    override createDataChannel(label: string, options?: RTCDataChannelInit): RTCDataChannel {
      const channel = super.createDataChannel(label, options)
      watch(channel, this)
      return channel
    }
  }
}
