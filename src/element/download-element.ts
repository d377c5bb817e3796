import type { Failure } from '../core/errors.ts'
import { orAborted } from '../core/or-aborted.ts'
import { isConsentAnswered } from '../page/mesh-consent.ts'
import type { Delivered, DeliveryEvent, Sealift } from '../page/index.ts'
import { openSdk } from './shared-sdk.ts'
import { afterFailure, codeOf, wordsOf, type ElementState, type Situation } from './situation.ts'
import { chooseText, TEXT_ATTRIBUTES, type Texts } from './texts.ts'
import { createView, type View } from './view.ts'

/** Detail of `sealift-progress`, at most ten a second. */
export interface ProgressDetail {
  readonly filename: string
  readonly verifiedBytes: number
  readonly sizeBytes: number
}

/** Detail of `sealift-failed`. */
export interface FailedDetail {
  /** `unexpected`: a failure that is none of Sealift's. */
  readonly code: Failure['code'] | 'unexpected'
  /** The publisher's word, or the lack of it, is against these bytes. */
  readonly isRefusal: boolean
  readonly error: unknown
}

const WANTED = ['name', 'version', 'channel', 'platform', 'config']

/**
 * `<sealift-download name="agent">`: a button that downloads, verifies and saves. Further attributes: `version`, `channel`, `platform`;
 * `config`, the URL of `sealift.json` (default `/sealift.json`), beside which the scripts lie; `sharing="ask"`; `text-…`. A link inside it
 * stands in where the element can do nothing.
 */
export class SealiftDownload extends HTMLElement {
  static readonly observedAttributes: readonly string[] = [...WANTED, ...TEXT_ATTRIBUTES]

  readonly #view: View
  #situation: Situation = { state: 'idle', isCancelled: false }
  #texts: Partial<Texts> = {}
  #sdk: Sealift | Promise<Sealift> | undefined
  /** Ends what runs. */
  #stop: AbortController | undefined
  #answer: ((isGranted: boolean) => void) | undefined

  constructor() {
    super()
    this.#view = createView(this, {
      onButton: (event) => this.#press(event),
      onAnswer: (isGranted) => this.#answer?.(isGranted),
    })
  }

  /** Words instead of the English ones; what is left out stays. */
  get texts(): Partial<Texts> {
    return this.#texts
  }

  set texts(texts: Partial<Texts>) {
    this.#texts = texts
    this.#render()
  }

  /** What the page's own `register()` gives, for a page that calls it. Set before the element is defined, no second engine is started. */
  get sdk(): Sealift | Promise<Sealift> | undefined {
    return this.#sdk
  }

  set sdk(sdk: Sealift | Promise<Sealift> | undefined) {
    this.#sdk = sdk
  }

  get state(): ElementState {
    return this.#situation.state
  }

  connectedCallback(): void {
    this.#takeEarly('texts')
    this.#takeEarly('sdk')
    if (!isSecureContext || typeof Worker === 'undefined') return this.#show({ state: 'link' })
    // What could not be had before is tried again.
    if (this.state === 'link') this.#show({ state: 'idle', isCancelled: false })
    else this.#render()
    // Now, and not at the first click: a visit while all is well is what an outage is survived with.
    this.#open().catch((error: unknown) => this.#lackScripts(error))
  }

  disconnectedCallback(): void {
    // A node that is moved is taken out and put in again at once.
    queueMicrotask(() => {
      if (!this.isConnected) this.cancel()
    })
  }

  attributeChangedCallback(attribute: string): void {
    const { state } = this.#situation
    const isOver = state === 'done' || state === 'refused' || state === 'failed'
    if (isOver && WANTED.includes(attribute)) this.#show({ state: 'idle', isCancelled: false })
    else if (this.isConnected) this.#render()
  }

  /** Starts the download, as the button does. Does nothing while one runs. */
  start(): void {
    if (this.#stop !== undefined || this.state === 'link') return
    const stop = new AbortController()
    this.#stop = stop
    this.#work(stop.signal).then(
      (delivered) => this.#end(stop, () => this.#deliver(delivered)),
      (error: unknown) => this.#end(stop, () => this.#fail(error)),
    )
  }

  /** Ends the download that runs. What arrived is kept. */
  cancel(): void {
    const stop = this.#stop
    if (stop === undefined) return
    stop.abort(new DOMException('The download was cancelled.', 'AbortError'))
    this.#end(stop, () => this.#show({ state: 'idle', isCancelled: true }))
  }

  #press({ detail }: MouseEvent): void {
    const situation = this.#situation
    if (situation.state === 'done') this.#save(situation)
    else if (this.#stop === undefined) this.start()
    // The second half of a double click is no wish to cancel.
    else if (detail < 2) this.cancel()
  }

  async #work(signal: AbortSignal): Promise<Delivered> {
    this.#show({ state: 'working', phase: 'resolving', filename: undefined, verifiedBytes: 0, sizeBytes: undefined })
    const sdk = await orAborted(this.#open(), signal)
    if (this.getAttribute('sharing') === 'ask' && !isConsentAnswered()) {
      this.#show({ state: 'consent' })
      sdk.mesh.setConsent(await orAborted(new Promise<boolean>((resolve) => (this.#answer = resolve)), signal))
      this.#show({ state: 'working', phase: 'resolving', filename: undefined, verifiedBytes: 0, sizeBytes: undefined })
    }
    const wanted = (attribute: string): string | undefined => this.getAttribute(attribute) ?? undefined
    const onEvent = (event: DeliveryEvent): void => {
      if (!signal.aborted) this.#follow(event)
    }
    const options = { version: wanted('version'), channel: wanted('channel'), platform: wanted('platform'), signal, onEvent }
    return await sdk.download(this.#name, options).result
  }

  #follow(event: DeliveryEvent): void {
    const before = this.#situation
    if (before.state !== 'working') return
    if (event.kind === 'phase') this.#show({ ...before, phase: event.phase })
    else if (event.kind === 'resolved') {
      const { filename, sizeBytes } = event.artifact
      this.#show({ ...before, filename, sizeBytes })
    } else if (event.kind === 'progress') {
      const { verifiedBytes, sizeBytes } = event
      this.#show({ ...before, verifiedBytes, sizeBytes })
      this.#tell('sealift-progress', { filename: before.filename ?? this.#name, verifiedBytes, sizeBytes } satisfies ProgressDetail)
    }
  }

  /** Once: whoever cancelled has had the end of it. */
  #end(stop: AbortController, how: () => void): void {
    if (this.#stop !== stop) return
    this.#stop = undefined
    how()
  }

  #deliver(delivered: Delivered): void {
    const done = { state: 'done', delivered, isSaved: false } as const
    this.#show(done)
    if (this.#tell('sealift-done', delivered)) this.#save(done)
  }

  #save(done: Extract<Situation, { state: 'done' }>): void {
    done.delivered.save()
    // Who heard of it may have begun something else.
    if (this.state === 'done') this.#show({ ...done, isSaved: true })
  }

  #fail(error: unknown): void {
    const situation = afterFailure(error)
    if (situation.code === 'unexpected') reportError(error)
    this.#show(situation)
    const detail: FailedDetail = { code: situation.code, isRefusal: situation.state === 'refused', error }
    this.#tell('sealift-failed', detail)
  }

  /** The script of the page or of the engine cannot be had: the link is better than nothing. Any other failure is told when somebody wants the file. */
  #lackScripts(error: unknown): void {
    const code = codeOf(error)
    if ((code === undefined || code === 'engine-lost') && this.querySelector('a[href]') !== null) {
      this.cancel()
      this.#show({ state: 'link' })
    }
  }

  async #open(): Promise<Sealift> {
    return await (this.#sdk ?? openSdk(new URL(this.getAttribute('config') ?? '/sealift.json', document.baseURI).href))
  }

  get #name(): string {
    return this.getAttribute('name') ?? ''
  }

  #tell(type: string, detail: unknown): boolean {
    return this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true, cancelable: type === 'sealift-done' }))
  }

  #show(situation: Situation): void {
    this.#situation = situation
    this.#render()
  }

  #render(): void {
    const text = (key: keyof Texts): string => chooseText(key, this.#texts, (attribute) => this.getAttribute(attribute))
    const question = { text: text('question'), share: text('share'), alone: text('alone') }
    const name = this.#name
    this.#view.render({ ...wordsOf(this.#situation, name, text), state: this.state, name, question })
  }

  /** A property that was set before the element was defined hides the setter of the class. */
  #takeEarly(property: 'texts' | 'sdk'): void {
    if (!Object.hasOwn(this, property)) return
    const value: unknown = Reflect.get(this, property)
    Reflect.deleteProperty(this, property)
    Reflect.set(this, property, value)
  }
}
