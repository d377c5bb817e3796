import { HANDLING, type Failure } from '../core/errors.ts'
import type { DeliveryPhase } from '../core/wire/delivery-event.ts'
import type { Delivered } from '../page/index.ts'
import { fillIn, type Texts } from './texts.ts'

/** Where the element stands. `link`: it can do nothing here, and shows the link inside it instead. */
export type Situation =
  | { readonly state: 'idle'; readonly isCancelled: boolean }
  | { readonly state: 'consent' }
  | {
      readonly state: 'working'
      readonly phase: DeliveryPhase
      readonly filename: string | undefined
      readonly verifiedBytes: number
      /** Undefined until the artifact is known. */
      readonly sizeBytes: number | undefined
    }
  /** Not saved where the page prevented that. */
  | { readonly state: 'done'; readonly delivered: Delivered; readonly isSaved: boolean }
  | { readonly state: 'refused' | 'failed'; readonly code: Failure['code'] | 'unexpected' }
  | { readonly state: 'link' }

export type ElementState = Situation['state']

/** What somebody sees and hears. */
export interface Words {
  readonly button: string
  /** Read out whenever it changes, so it changes seldom. */
  readonly status: string
  /** 0 to 1; `unknown` while that cannot be said; undefined when nothing runs. */
  readonly ratio: number | 'unknown' | undefined
}

/** Whole percent would be read out a hundred times. */
const SPOKEN_STEP_PERCENT = 25

export function wordsOf(situation: Situation, name: string, text: (key: keyof Texts) => string): Words {
  const say = (key: keyof Texts, more: Readonly<Record<string, string>> = {}): string => fillIn(text(key), { name, file: name, ...more })
  switch (situation.state) {
    case 'idle':
      return { button: say('download'), status: situation.isCancelled ? say('cancelled') : '', ratio: undefined }
    case 'consent':
      return { button: say('cancel'), status: say('question'), ratio: undefined }
    case 'working': {
      const ratio = ratioOf(situation)
      const percent = ratio === 'unknown' ? 0 : Math.floor((ratio * 100) / SPOKEN_STEP_PERCENT) * SPOKEN_STEP_PERCENT
      const values = { file: situation.filename ?? name, percent: String(percent) }
      return { button: say('cancel'), status: say(PHASE_TEXTS[situation.phase], values), ratio }
    }
    case 'done': {
      const values = { file: situation.delivered.file.name }
      const [button, status] = endTexts(situation)
      return { button: say(button, values), status: say(status, values), ratio: undefined }
    }
    case 'refused':
    case 'failed': {
      const { state, code } = situation
      const nextStep = code === 'unexpected' ? say('unexpected') : HANDLING[code].nextStep
      return { button: say('retry'), status: say(state, { code, nextStep }), ratio: undefined }
    }
    case 'link':
      return { button: '', status: '', ratio: undefined }
  }
}

function endTexts({ isSaved }: Extract<Situation, { state: 'done' }>): readonly [button: keyof Texts, status: keyof Texts] {
  return isSaved ? ['again', 'done'] : ['save', 'verified']
}

const PHASE_TEXTS: Readonly<Record<DeliveryPhase, keyof Texts>> = {
  resolving: 'resolving',
  waiting: 'waiting',
  fetching: 'fetching',
  checking: 'checking',
  // The element never pauses; an engine that does goes on by itself.
  paused: 'waiting',
}

function ratioOf({ verifiedBytes, sizeBytes }: Extract<Situation, { state: 'working' }>): number | 'unknown' {
  if (sizeBytes === undefined) return 'unknown'
  return sizeBytes === 0 ? 1 : Math.min(1, verifiedBytes / sizeBytes)
}

/** The code of a failure of Sealift's. Read from its data: the page's bundle has an error class of its own. */
export function codeOf(error: unknown): Failure['code'] | undefined {
  const failure = error instanceof Error && 'failure' in error ? error.failure : undefined
  const code = typeof failure === 'object' && failure !== null && 'code' in failure ? failure.code : undefined
  return isCode(code) ? code : undefined
}

function isCode(value: unknown): value is Failure['code'] {
  return typeof value === 'string' && Object.hasOwn(HANDLING, value)
}

/** Where a failure leaves the element: refused, or not delivered this time. */
export function afterFailure(error: unknown): Extract<Situation, { state: 'refused' | 'failed' }> {
  const code = codeOf(error) ?? 'unexpected'
  return { state: code !== 'unexpected' && HANDLING[code].isRefusal ? 'refused' : 'failed', code }
}
