import type SimplePeer from 'simple-peer'

/** The WebRTC classes that a link needs, where no window lends them. */
export type Wrtc = NonNullable<SimplePeer.Options['wrtc']>

const CLASSES = ['RTCPeerConnection', 'RTCSessionDescription', 'RTCIceCandidate'] as const
/** How often a queue is looked at that has no event for being short again. */
const LOOK_MS = 5
/** What was sent last leaves within this: measured with @roamhq/wrtc 0.10.0, which drops it when its channel is closed at once. */
const LAST_WORDS_MS = 100

/** Whether a module is a WebRTC binding, by the classes that it has. */
export function isWrtc(module: unknown): module is Wrtc {
  return typeof module === 'object' && module !== null && CLASSES.every((name) => typeof Reflect.get(module, name) === 'function')
}

/** A binding as links expect it: channels that tell when their queue is short, and a last message that gets out before the end. */
export function asInBrowsers(wrtc: Wrtc): Wrtc {
  class Connection extends wrtc.RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration)
      this.addEventListener('datachannel', ({ channel }) => void complete(channel))
    }

    override createDataChannel(label: string, options?: RTCDataChannelInit): RTCDataChannel {
      return complete(super.createDataChannel(label, options))
    }

    override close(): void {
      setTimeout(() => super.close(), LAST_WORDS_MS)
    }
  }
  const { RTCSessionDescription, RTCIceCandidate } = wrtc
  return { RTCPeerConnection: Connection, RTCSessionDescription, RTCIceCandidate }
}

function complete(channel: RTCDataChannel): RTCDataChannel {
  const [send, close] = [channel.send.bind(channel), channel.close.bind(channel)]
  let timer: ReturnType<typeof setInterval> | undefined
  const look = (): void => {
    if (channel.readyState === 'open' && channel.bufferedAmount > channel.bufferedAmountLowThreshold) return
    clearInterval(timer)
    timer = undefined
    if (channel.readyState === 'open') channel.dispatchEvent(new Event('bufferedamountlow'))
  }
  const sendAndLook = (data: ArrayBuffer): void => {
    send(data)
    timer ??= setInterval(look, LOOK_MS)
  }
  // Defined, not set: the binding's own are read-only.
  return Object.defineProperties(channel, {
    bufferedAmountLowThreshold: { value: 0, writable: true },
    send: { value: sendAndLook },
    close: { value: () => setTimeout(close, LAST_WORDS_MS) },
  })
}
