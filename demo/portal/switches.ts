import { isPart, isPartState, PARTS, type Part, type PartState } from '../stack/parts.ts'
import { button, el } from './dom.ts'
import type { DemoFacts } from './demo-facts.ts'
import type { Log } from './log.ts'
import { capital, sourceName } from './words.ts'

type States = Readonly<Partial<Record<Part, PartState>>>

const STATE_WORDS: Readonly<Record<PartState, string>> = { up: 'running', down: 'down', 'wrong-bytes': 'sends wrong bytes' }
const CAN_LIE: ReadonlySet<Part> = new Set(['cdn-1', 'cdn-2', 'gateway'])
const LOOK_AGAIN_MS = 2000

/** The switches that really stop and start servers. */
export function showSwitches(root: HTMLElement, facts: DemoFacts, log: Log): void {
  const cards = new Map(PARTS.map((part) => [part, createCard(part, facts, (mode) => void change(part, mode))]))
  root.replaceChildren(...[...cards.values()].map(({ element }) => element))

  const show = (states: States): void => {
    for (const [part, card] of cards) card.show(states[part])
  }
  const change = async (part: Part, mode: PartState): Promise<void> => {
    log.write({ text: `You switch: ${sourceName(part)} ${STATE_WORDS[mode]}`, mood: 'plain' })
    try {
      show(await askControl(facts.controlUrl, { part, mode }))
    } catch {
      log.write({ text: `${capital(sourceName(part))} could not be switched: the demo's own servers do not answer`, mood: 'bad' })
    }
  }
  const look = async (): Promise<void> => {
    try {
      show(await askControl(facts.controlUrl))
    } catch {
      show({}) // the demo was stopped: every switch says so
    }
  }
  void look()
  setInterval(() => void look(), LOOK_AGAIN_MS)
}

interface Card {
  readonly element: HTMLElement
  show(state: PartState | undefined): void
}

function createCard(part: Part, facts: DemoFacts, onChange: (mode: PartState) => void): Card {
  const name = capital(sourceName(part))
  let now: PartState | undefined
  const state = el('span', { class: 'state' }, '…')
  const power = button('On', () => onChange(now === 'down' ? 'up' : 'down'), {
    role: 'switch',
    'aria-checked': 'false',
    'aria-label': `${name} runs`,
    'aria-describedby': 'switches-hint',
  })
  const lie = button('Wrong bytes', () => onChange(now === 'wrong-bytes' ? 'up' : 'wrong-bytes'), {
    'aria-pressed': 'false',
    'aria-label': `${name} sends wrong bytes`,
  })
  lie.hidden = !CAN_LIE.has(part)
  const note = part === 'gateway' ? ` (${facts.gatewayKind})` : ''
  const element = el(
    'div',
    { class: 'switch', 'data-source': part, id: `switch-${part}` },
    el('div', { class: 'name' }, name),
    state,
    el('div', { class: 'row' }, power, lie),
  )
  return {
    element,
    show(next) {
      now = next
      element.dataset['state'] = next ?? 'unknown'
      state.textContent = next === undefined ? 'the demo is not running' : STATE_WORDS[next] + (next === 'down' ? '' : note)
      power.disabled = next === undefined
      lie.disabled = next === undefined || next === 'down'
      power.setAttribute('aria-checked', String(next !== 'down'))
      power.textContent = next === 'down' ? 'Bring back' : 'Take down'
      lie.setAttribute('aria-pressed', String(next === 'wrong-bytes'))
      lie.textContent = next === 'wrong-bytes' ? 'Right bytes' : 'Wrong bytes'
    },
  }
}

async function askControl(controlUrl: string, change?: { readonly part: Part; readonly mode: PartState }): Promise<States> {
  const signal = AbortSignal.timeout(LOOK_AGAIN_MS * 5)
  const response = await (change === undefined
    ? fetch(new URL('state', controlUrl), { signal })
    : fetch(new URL('switch', controlUrl), { method: 'POST', body: JSON.stringify(change), signal }))
  if (!response.ok) throw new Error(`the control server answered ${response.status}`)
  return readStates(await response.json())
}

function readStates(value: unknown): States {
  if (typeof value !== 'object' || value === null || !('parts' in value)) return {}
  const { parts } = value
  if (typeof parts !== 'object' || parts === null) return {}
  return Object.fromEntries(Object.entries(parts).filter(([part, state]) => isPart(part) && isPartState(state)))
}
