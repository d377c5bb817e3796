/** What is noted in a page, whoever transfers in it. */
export interface PageWatch {
  /** Set by the contestant, as every other time here by `performance.now()`. */
  startedAtMs: number | undefined
  /** Ours only: the first time that the page asked its signaling server to meet others. */
  joinedAtMs: number | undefined
  /** The first message of a data channel that is longer than any greeting. */
  firstByteAtMs: number | undefined
  longestTaskMs: number
}

declare global {
  interface Window {
    meshWatch?: PageWatch
  }
}

/** Runs in the page, before anything else does. */
export function watchPage(): void {
  const GREETING_BYTES = 512
  const watch: PageWatch = { startedAtMs: undefined, joinedAtMs: undefined, firstByteAtMs: undefined, longestTaskMs: 0 }
  window.meshWatch = watch
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) watch.longestTaskMs = Math.max(watch.longestTaskMs, duration)
  }).observe({ type: 'longtask' })
  const look = (channel: RTCDataChannel): void => {
    const onMessage = ({ data }: MessageEvent): void => {
      const bytes = data instanceof ArrayBuffer ? data.byteLength : data instanceof Blob ? data.size : 0
      if (watch.startedAtMs === undefined || bytes < GREETING_BYTES) return
      watch.firstByteAtMs ??= performance.now()
      channel.removeEventListener('message', onMessage)
    }
    channel.addEventListener('message', onMessage)
  }
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration)
      this.addEventListener('datachannel', ({ channel }) => look(channel))
    }

    override createDataChannel(label: string, options?: RTCDataChannelInit): RTCDataChannel {
      const channel = super.createDataChannel(label, options)
      look(channel)
      return channel
    }
  }
  const { send } = WebSocket.prototype
  WebSocket.prototype.send = function (this: WebSocket, data) {
    if (watch.startedAtMs !== undefined && typeof data === 'string' && data.includes('"type":"join"'))
      watch.joinedAtMs ??= performance.now()
    send.call(this, data)
  }
}
