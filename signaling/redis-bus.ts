import type { createClient } from '@redis/client'
import { DeliveryError } from 'sealift/protocol'
import type { Bus, BusAddress, BusListener } from './bus.ts'

export interface RedisBusOptions {
  /** `redis://` or `rediss://`, with user, password and database where there are some. */
  readonly url: string
  /** Before all names in Redis, so that several deployments can share one. Default `sealift`. */
  readonly prefix?: string
}

type Client = ReturnType<typeof createClient>

const PACKAGE = '@redis/client'
const VERSION = '6.3.1'
const DEFAULT_PREFIX = 'sealift'
const CONNECT_TIMEOUT_MS = 2000
/** Tries again after so long, half of it by chance: all processes lost it at once. Seconds matter: rooms are apart until then. */
const RETRY_MS = 1000
/** A connection through which nothing comes back is given up: Redis hangs, or what is between is gone. */
const PING_MS = 1000
const SILENT_MS = 3000
/** Texts on their way to a Redis that does not take them. */
const MOST_QUEUED = 10_000

/**
 * Redis publish and subscribe. `@redis/client` is an optional peer dependency: one process needs none.
 * @param load stands in for `import`
 * @throws {DeliveryError} `tool-missing` that says how to install it
 */
export async function createRedisBus(
  options: RedisBusOptions,
  load: () => Promise<{ readonly createClient: typeof createClient }> = () => import('@redis/client'),
): Promise<Bus> {
  const { createClient: create } = await load().catch((error: unknown) => {
    const detail = `processes that share rooms need it to speak to Redis: npm install ${PACKAGE}@${VERSION}`
    throw new DeliveryError({ code: 'tool-missing', tool: `${PACKAGE} ${VERSION}`, detail }, { cause: error })
  })
  return new RedisBus(options, create)
}

class RedisBus implements Bus {
  readonly #prefix: string
  /** A connection that has subscribed can do nothing else. */
  readonly #out: Client
  readonly #in: Client
  #listener: BusListener | undefined
  #isOnline = false
  #retry: ReturnType<typeof setTimeout> | undefined

  constructor({ url, prefix = DEFAULT_PREFIX }: RedisBusOptions, create: typeof createClient) {
    this.#prefix = prefix
    const settings = {
      url,
      socket: {
        connectTimeout: CONNECT_TIMEOUT_MS,
        socketTimeout: SILENT_MS,
        reconnectStrategy: () => RETRY_MS * (0.5 + Math.random() / 2),
      },
      // What was not sent in time says nothing true any more.
      disableOfflineQueue: true,
      commandsQueueMaxLength: MOST_QUEUED,
      pingInterval: PING_MS,
    }
    this.#out = create(settings)
    this.#in = create(settings)
  }

  open(own: BusAddress, listener: BusListener): void {
    this.#listener = listener
    const look = (): void => void this.#begin(own, listener)
    for (const client of [this.#out, this.#in]) {
      client.on('ready', look)
      // Without a listener the process would end with the first loss.
      client.on('error', (error: unknown) => this.#lose(String(error)))
      client.connect().catch((error: unknown) => this.#lose(String(error)))
    }
  }

  publish(text: string, to?: string): void {
    if (this.#isOnline) this.#out.publish(this.#channel(to), text).catch(() => this.#listener?.onLost())
  }

  async close(): Promise<void> {
    clearTimeout(this.#retry)
    this.#listener = undefined
    this.#isOnline = false
    for (const client of [this.#out, this.#in]) client.destroy()
  }

  async #begin(own: BusAddress, listener: BusListener): Promise<void> {
    if (!this.#out.isReady || !this.#in.isReady || this.#isOnline || this.#listener === undefined) return
    this.#isOnline = true
    try {
      // After a loss the client has subscribed again by itself: then this changes nothing.
      await this.#in.subscribe([this.#channel(), this.#channel(own.id)], listener.onText)
      const salt = await this.#shareSalt(own.salt)
      if (this.#listener !== undefined) listener.onOnline(salt)
    } catch (error) {
      this.#lose(String(error))
      // It answers, and says no: it is still loading what it kept, or has no rights for us yet. No event says when that ends.
      clearTimeout(this.#retry)
      if (this.#listener !== undefined) this.#retry = setTimeout(() => void this.#begin(own, listener), RETRY_MS)
    }
  }

  async #shareSalt(proposed: Uint8Array): Promise<Uint8Array> {
    const key = `${this.#prefix}:salt`
    await this.#out.set(key, Buffer.from(proposed).toString('base64url'), { condition: 'NX' })
    const shared = Buffer.from((await this.#out.get(key)) ?? '', 'base64url')
    return shared.length === proposed.length ? new Uint8Array(shared) : proposed
  }

  #lose(detail: string): void {
    if (!this.#isOnline) return
    this.#isOnline = false
    this.#listener?.onOffline(detail)
  }

  #channel(to?: string): string {
    return to === undefined ? `${this.#prefix}:all` : `${this.#prefix}:to:${to}`
  }
}
