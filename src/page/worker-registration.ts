import { WORKER_VERSION, type ToWorkerMessage } from '../core/wire/worker-message.ts'

/** Held shared by every running download; a waiting worker may take over only when nobody holds it. */
export const TRANSFERS_LOCK = 'sealift-transfers'

/** The service worker as the page sees it. Everything works without one; only links and `fetch()` need it. */
export interface WorkerLine {
  readonly hasController: boolean
  tell(type: ToWorkerMessage['type']): void
  /** Lets a waiting worker take over when no transfer runs in any tab. */
  maybeUpdate(): Promise<void>
  unregister(): Promise<void>
}

export interface WorkerOptions {
  readonly workerUrl: string
  readonly scope: string
}

/** How long the first page load waits for control; without it links go to the network, where virtual URLs find nothing. */
const CONTROL_MS = 3000

/**
 * Registers the service worker and sees to it that it controls this page, on first load and after a hard reload too.
 * Resolves with a line that works as soon as there is a worker: at the latest after 3 s, for a script that never comes must not hold a page up.
 * Where there can be none (private windows of some browsers, a script that is not served) the line is there and does nothing. Never rejects.
 */
export async function registerWorker(options: WorkerOptions): Promise<WorkerLine> {
  const line = createLine()
  if (!('serviceWorker' in navigator)) return line
  renewOnce(line, options)
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CONTROL_MS)
  })
  await Promise.race([connect(line, options), late])
  clearTimeout(timer)
  return line
}

async function connect(line: OpenLine, options: WorkerOptions): Promise<void> {
  const registration = await register(options)
  if (registration === undefined) return
  line.registration = registration
  registration.addEventListener('updatefound', () => followUpdate(registration, line))
  await takeControl(registration)
  // Anything said to a kill switch makes it leave; to the real worker this means nothing.
  line.tell('ping')
  void line.maybeUpdate()
}

/**
 * A browser that clears what this origin keeps takes the worker away under the open page, and from then on Chromium 156 fails every request
 * of the page's own workers, until there is a service worker again. Once, since a kill switch that is served instead would leave each time.
 */
function renewOnce(line: OpenLine, options: WorkerOptions): void {
  const { serviceWorker } = navigator
  const renew = (): void => {
    if (serviceWorker.controller !== null) return
    serviceWorker.removeEventListener('controllerchange', renew)
    void connect(line, options)
  }
  serviceWorker.addEventListener('controllerchange', renew)
}

async function register({ workerUrl, scope }: WorkerOptions): Promise<ServiceWorkerRegistration | undefined> {
  try {
    return await navigator.serviceWorker.register(workerUrl, { scope, updateViaCache: 'none' })
  } catch {
    // The origin is down or refuses: a worker of an earlier visit goes on, and without one the page path works alone.
    return await navigator.serviceWorker.getRegistration(scope).catch(() => undefined)
  }
}

interface OpenLine extends WorkerLine {
  registration: ServiceWorkerRegistration | undefined
}

function createLine(): OpenLine {
  return {
    registration: undefined,
    get hasController() {
      return this.registration !== undefined && navigator.serviceWorker.controller !== null
    },
    tell(type) {
      const message: ToWorkerMessage = { sealift: WORKER_VERSION, type }
      this.registration?.active?.postMessage(message)
    },
    async maybeUpdate() {
      const waiting = this.registration?.waiting
      if (waiting === null || waiting === undefined) return
      await navigator.locks.request(TRANSFERS_LOCK, { mode: 'exclusive', ifAvailable: true }, async (lock) => {
        const message: ToWorkerMessage = { sealift: WORKER_VERSION, type: 'activate' }
        if (lock !== null) waiting.postMessage(message)
      })
    },
    async unregister() {
      await this.registration?.unregister()
    },
  }
}

function followUpdate(registration: ServiceWorkerRegistration, line: WorkerLine): void {
  const { installing } = registration
  installing?.addEventListener('statechange', () => {
    if (installing.state === 'installed') void line.maybeUpdate()
  })
}

/** A hard reload leaves the page without its worker, and a first load starts so; the worker takes it over when asked (1 ms, measured). */
async function takeControl(registration: ServiceWorkerRegistration): Promise<void> {
  if (navigator.serviceWorker.controller !== null) return
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, CONTROL_MS)
    const done = (): void => {
      clearTimeout(timer)
      resolve()
    }
    navigator.serviceWorker.addEventListener('controllerchange', done, { once: true })
    const message: ToWorkerMessage = { sealift: WORKER_VERSION, type: 'claim' }
    registration.active?.postMessage(message)
  })
}
