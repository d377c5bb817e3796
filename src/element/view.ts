import { sharedSheet } from './styles.ts'
import type { ElementState, Words } from './situation.ts'

export interface ViewEvents {
  onButton(event: MouseEvent): void
  /** The visitor answered the question about sharing. */
  onAnswer(isGranted: boolean): void
}

export interface Shown extends Words {
  readonly state: ElementState
  readonly name: string
  readonly question: { readonly text: string; readonly share: string; readonly alone: string }
}

/** What stands in the shadow of the element. One button all the way, so that the focus of a keyboard is never lost. */
export interface View {
  render(shown: Shown): void
}

export function createView(host: HTMLElement, events: ViewEvents): View {
  // First: where a browser has no constructed sheets this throws, and without a shadow the link inside is seen.
  const sheet = sharedSheet()
  const root = host.attachShadow({ mode: 'open', delegatesFocus: true })
  root.adoptedStyleSheets = [sheet]
  const button = make('button', 'button', { type: 'button' })
  const progress = make('progress', 'progress', { max: '1' })
  const status = make('p', 'status', { class: 'status', role: 'status', 'aria-live': 'polite' })
  const text = make('p', 'question-text', { id: 'question' })
  const share = make('button', 'share', { type: 'button' })
  const alone = make('button', 'alone', { type: 'button' })
  const answers = make('div', 'answers', { class: 'answers' })
  const question = make('div', 'question', { role: 'group', 'aria-labelledby': 'question', tabindex: '-1' })
  const box = make('div', 'box', { class: 'box' })
  const link = document.createElement('slot')
  answers.append(share, alone)
  question.append(text, answers)
  // The live region is there, empty, before it speaks: one that comes with its text is not read out.
  box.append(question, button, progress, status)
  root.append(box, link)
  button.addEventListener('click', (event) => events.onButton(event))
  share.addEventListener('click', () => events.onAnswer(true))
  alone.addEventListener('click', () => events.onAnswer(false))

  return {
    render({ state, name, question: asked, ratio, ...words }) {
      const hadQuestion = !question.hidden
      const hadFocus = root.activeElement !== null
      host.setAttribute('state', state)
      box.hidden = state === 'link'
      link.hidden = state !== 'link'
      question.hidden = state !== 'consent'
      write(text, asked.text)
      write(share, asked.share)
      write(alone, asked.alone)
      write(button, words.button)
      write(status, words.status)
      progress.hidden = ratio === undefined
      progress.setAttribute('aria-label', name)
      if (typeof ratio === 'number') progress.value = ratio
      else progress.removeAttribute('value')
      if (!hadFocus) return
      if (state === 'consent' && !hadQuestion) question.focus()
      else if (state !== 'consent' && hadQuestion) button.focus()
    },
  }
}

function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  part: string,
  attributes: Readonly<Record<string, string>>,
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  element.setAttribute('part', part)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  return element
}

/** A live region that is written again with the same words may be read out again. */
function write(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text
}
