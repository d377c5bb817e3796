import { WebSocket } from 'ws'
import { DeliveryError } from '../../core/errors.ts'
import { asInBrowsers, isWrtc, type Wrtc } from '../../sources/mesh/wrtc.ts'
import type { OpenSocket } from '../../sources/mesh/signaling-client.ts'

const PACKAGE = '@roamhq/wrtc'
const VERSION = '0.10.0'

/**
 * WebRTC for Node. An optional peer dependency: native code that only a seed needs.
 * @param load stands in for `import`
 * @throws {DeliveryError} `tool-missing` that says how to install it
 */
export async function loadWrtc(load: () => Promise<unknown> = () => import('@roamhq/wrtc')): Promise<Wrtc> {
  const detail = `a seed needs it to speak WebRTC: npm install ${PACKAGE}@${VERSION}`
  let module: unknown
  try {
    module = await load()
  } catch (error) {
    // Not installed, or made for another platform: the message of the loader says which.
    throw new DeliveryError({ code: 'tool-missing', tool: `${PACKAGE} ${VERSION}`, detail }, { cause: error })
  }
  const found = [module, defaultOf(module)].find(isWrtc)
  if (found === undefined) throw new DeliveryError({ code: 'tool-missing', tool: `${PACKAGE} ${VERSION}`, detail })
  return asInBrowsers(found)
}

/** A CommonJS module lies in the default export, where its names cannot be told from outside. */
function defaultOf(module: unknown): unknown {
  return typeof module === 'object' && module !== null && 'default' in module ? module.default : undefined
}

/** Sockets that say which site they belong to, as a browser does by itself: signaling lets nobody else in. */
export function socketsOf(origin: string): OpenSocket {
  return class extends WebSocket {
    constructor(url: string) {
      super(url, { origin, perMessageDeflate: false, handshakeTimeout: 5000 })
    }
  }
}
