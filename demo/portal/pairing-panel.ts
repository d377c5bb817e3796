import { DeliveryError, drawQrCode, type Pairing, type PairingReply, type Sealift } from 'sealift/page'
import { button, el } from './dom.ts'
import type { Log } from './log.ts'
import { canScan, scanCode } from './scan-code.ts'

/** A code of this page that waits for the other browser. */
type Waiting = { readonly kind: 'first'; readonly pairing: Pairing } | { readonly kind: 'second'; readonly reply: PairingReply }

const HELP = {
  idle: 'For when no server can introduce browsers any more. Make a code here and enter it in the other browser, or enter the code that the other one shows.',
  first: 'Enter this code in the other browser. It then shows a code of its own: enter that one below.',
  second: 'Enter this code in the first browser, within ten minutes. Then both are connected.',
} as const

/** What to tell the person, by what is wrong with the code. */
const REFUSALS: Readonly<Record<string, string>> = {
  unreadable: 'This code is not complete. Copy all of it, or scan it again.',
  version: 'The other browser has another version of this page. Reload both pages.',
  site: 'This code was made on another site.',
  side: 'Both browsers made a first code, or this one never made one. Cancel in one of them, and enter the other one’s code there.',
  pairing: 'This code answers another one. Enter the code shown here in the other browser again.',
  expired: 'This code is older than ten minutes. Make a new one.',
  'gave-up': 'This browser does not wait for the other one (Firefox does not). Cancel, and make the first code in this browser.',
  'not-allowed': 'Allow sharing with peers first, with the box above.',
  'no-address': 'This browser names no address in this network. Is it connected?',
  'other-tab': 'Another tab of this site is taking from peers. Use that one.',
}

/** What a person sees and does. The rest of the panel only reacts to it. */
interface Controls {
  readonly help: HTMLElement
  readonly shown: HTMLElement
  readonly status: HTMLElement
  readonly entered: HTMLTextAreaElement
  readonly make: HTMLButtonElement
  readonly cancel: HTMLButtonElement
}

/** Meets another browser without any server: one code there, one back. */
export function showPairingPanel(room: { readonly sealift: Sealift; readonly log: Log }): HTMLElement {
  const talk = createTalk(room)
  const controls: Controls = {
    help: el('p', { class: 'hint' }, HELP.idle),
    shown: el('div', { class: 'pairing-code', hidden: true }),
    status: el('p', { class: 'hint', role: 'status', id: 'pairing-status' }),
    entered: el('textarea', { id: 'pairing-entry', rows: '3', spellcheck: 'false', autocomplete: 'off' }),
    make: button('Make a code', () => talk.trying(controls, talk.begin), { id: 'pairing-make' }),
    cancel: button('Cancel', () => talk.cancel(controls), { hidden: true }),
  }
  const { help, shown, status, entered, make, cancel } = controls
  const say = (text: string): void => void (status.textContent = text)
  const form = el(
    'form',
    { class: 'pairing-form' },
    el('label', { for: 'pairing-entry' }, 'Code that the other browser shows'),
    entered,
    el(
      'div',
      { class: 'row' },
      el('button', { type: 'submit', id: 'pairing-enter' }, 'Use this code'),
      ...scanner(entered, say),
      make,
      cancel,
    ),
  )
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    talk.trying(controls, talk.enter)
  })
  return el(
    'details',
    { class: 'pairing' },
    el('summary', { id: 'pairing-summary' }, 'Pair with another browser'),
    help,
    shown,
    form,
    status,
  )
}

type Step = (controls: Controls) => Promise<void>

interface Talk {
  readonly begin: Step
  readonly enter: Step
  trying(controls: Controls, step: Step): void
  cancel(controls: Controls): void
}

/** Where two people are in exchanging their codes. */
function createTalk({ sealift, log }: { readonly sealift: Sealift; readonly log: Log }): Talk {
  let waiting: Waiting | undefined
  const wait = (controls: Controls, next: Waiting | undefined): void => {
    waiting = next
    showWaiting(controls, next)
  }
  const meet = (controls: Controls): void => {
    wait(controls, undefined)
    controls.entered.value = ''
    controls.status.textContent = 'Connected. Downloads take from that browser now, and it from this one.'
    log.write({ text: 'Paired with another browser, without any server', mood: 'good' })
  }
  return {
    async begin(controls) {
      wait(controls, { kind: 'first', pairing: await sealift.mesh.pair() })
      controls.status.textContent = ''
    },
    async enter(controls) {
      const { entered, status } = controls
      if (waiting?.kind === 'first') await waiting.pairing.accept(entered.value)
      else {
        const reply = await sealift.mesh.answer(entered.value)
        wait(controls, { kind: 'second', reply })
        status.textContent = 'Waiting for the other browser …'
        await reply.connected
      }
      meet(controls)
    },
    trying(controls, step) {
      const { status } = controls
      status.textContent = 'One moment …'
      step(controls).catch((error: unknown) => (status.textContent = explain(error)))
    },
    cancel(controls) {
      if (waiting?.kind === 'first') waiting.pairing.cancel()
      else waiting?.reply.cancel()
      wait(controls, undefined)
      controls.status.textContent = 'Cancelled.'
    },
  }
}

function showWaiting({ help, make, cancel, shown }: Controls, waiting: Waiting | undefined): void {
  help.textContent = HELP[waiting?.kind ?? 'idle']
  make.hidden = waiting !== undefined
  cancel.hidden = waiting === undefined
  shown.hidden = waiting === undefined
  shown.replaceChildren()
  if (waiting !== undefined) showCode(shown, waiting.kind === 'first' ? waiting.pairing.code : waiting.reply.code)
}

/** The code as text to copy, and as squares for a camera. */
function showCode(root: HTMLElement, code: string): void {
  const text = el('textarea', { readonly: true, rows: '4', 'aria-label': 'Code of this browser', id: 'pairing-shown' })
  text.value = code
  const copy = button('Copy', () => {
    text.select()
    // Without the permission the text is selected at least.
    navigator.clipboard.writeText(code).catch(() => undefined)
  })
  const picture = el('div', { class: 'pairing-picture' })
  root.append(picture, el('div', {}, text, copy))
  // Without its script the text has to do.
  drawQrCode(code).then(
    (image) => picture.replaceChildren(image),
    () => picture.remove(),
  )
}

function scanner(entered: HTMLTextAreaElement, say: (text: string) => void): readonly HTMLElement[] {
  if (!canScan()) return []
  const video = el('video', { hidden: true, muted: true, playsinline: true, 'aria-label': 'What the camera sees' })
  const scan = button('Scan', () => {
    video.hidden = false
    scanCode(video, new AbortController().signal)
      .then(
        (code) => {
          entered.value = code
          say('Read. Use it now.')
        },
        () => say('The camera saw no code. Copy it as text.'),
      )
      .finally(() => (video.hidden = true))
  })
  return [scan, video]
}

function explain(error: unknown): string {
  if (!(error instanceof DeliveryError)) return error instanceof DOMException && error.name === 'AbortError' ? 'Cancelled.' : String(error)
  const { failure } = error
  if (failure.code === 'pairing-refused') return REFUSALS[failure.reason] ?? error.nextStep
  return 'The two browsers do not reach each other. Are they in the same network? Cancel, and let the other browser make the first code.'
}
