import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { DeliveryError } from '../../src/core/errors.ts'
import { toArtifactName, toSha256 } from '../../src/core/model/ids.ts'
import type { ArtifactFacts, DeliveryEvent } from '../../src/core/wire/delivery-event.ts'
import { SealiftDownload } from '../../src/element/index.ts'
import type { Delivered, DownloadOptions, Sealift } from '../../src/page/index.ts'
import { sampleRecord } from '../core/audit/samples.ts'
import { resolvedWith } from './resolved.ts'

const DIGEST = toSha256('a'.repeat(64))

const FACTS: ArtifactFacts = {
  name: toArtifactName('agent'),
  version: '1.2.3',
  platform: undefined,
  filename: 'agent-1.2.3.tar.gz',
  mediaType: 'application/gzip',
  sizeBytes: 200,
  sha256: DIGEST,
  pieceCount: 1,
  pieceLengthBytes: 65_536,
}

const RESOLVED = resolvedWith(FACTS)

const progress = (verifiedBytes: number): DeliveryEvent => ({
  kind: 'progress',
  pieces: [],
  verifiedBytes,
  receivedBytes: verifiedBytes,
  sizeBytes: 200,
})

/** An SDK whose downloads end when the test says so. */
class Portal {
  readonly asked: { readonly name: string; readonly options: DownloadOptions }[] = []
  readonly consents: boolean[] = []
  saves = 0
  #deliver: () => void = () => undefined
  #refuse: (error: unknown) => void = () => undefined

  tell(event: DeliveryEvent): void {
    this.asked.at(-1)?.options.onEvent?.(event)
  }

  async deliver(): Promise<void> {
    this.#deliver()
    await settled()
  }

  async refuse(error: unknown): Promise<void> {
    this.#refuse(error)
    await settled()
  }

  readonly sdk = {
    mesh: { setConsent: (isGranted: boolean) => void this.consents.push(isGranted) },
    download: (name: string, options: DownloadOptions) => {
      this.asked.push({ name, options })
      const result = new Promise<Delivered>((resolve, reject) => {
        this.#refuse = reject
        this.#deliver = () =>
          resolve({ file: new File(['x'], FACTS.filename), artifact: FACTS, record: sampleRecord(), save: () => void this.saves++ })
      })
      return { result, pause: () => undefined, resume: () => undefined, cancel: () => undefined }
    },
  } as unknown as Sealift
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve))

let portal: Portal

beforeEach(() => {
  portal = new Portal()
  // Of these happy-dom has none.
  vi.stubGlobal('isSecureContext', true)
  vi.stubGlobal('Worker', class {})
})

afterEach(() => {
  document.body.replaceChildren()
  localStorage.clear()
  vi.unstubAllGlobals()
})

function put(attributes: Readonly<Record<string, string>> = {}, sdk: Sealift | Promise<Sealift> = portal.sdk): SealiftDownload {
  const element = new SealiftDownload()
  element.sdk = sdk
  for (const [name, value] of Object.entries({ name: 'agent', ...attributes })) element.setAttribute(name, value)
  element.innerHTML = '<a href="https://cdn.example/agent.tar.gz">agent.tar.gz</a>'
  document.body.append(element)
  return element
}

function part<E extends HTMLElement = HTMLElement>(element: SealiftDownload, name: string): E {
  const found = element.shadowRoot?.querySelector<E>(`[part="${name}"]`)
  if (found === null || found === undefined) throw new RangeError(`there is no part ${name}`)
  return found
}

const label = (element: SealiftDownload): string => part(element, 'button').textContent
const status = (element: SealiftDownload): string => part(element, 'status').textContent
const bar = (element: SealiftDownload): HTMLProgressElement => part<HTMLProgressElement>(element, 'progress')

async function press(element: SealiftDownload, name = 'button', clicks = 1): Promise<void> {
  part(element, name).dispatchEvent(new MouseEvent('click', { bubbles: true, detail: clicks }))
  await settled()
}

describe('a download', () => {
  test('asks for what the attributes name, and tells each step until the file is saved', async () => {
    const element = put({ version: '1.2.3', channel: 'beta', platform: 'linux/amd64' })
    expect([element.state, label(element), status(element), bar(element).hidden]).toEqual(['idle', 'Download agent', '', true])
    await press(element)
    expect(portal.asked[0]).toMatchObject({ name: 'agent', options: { version: '1.2.3', channel: 'beta', platform: 'linux/amd64' } })
    expect([element.state, label(element), status(element)]).toEqual(['working', 'Cancel', 'Looking for agent.'])
    expect([bar(element).hidden, bar(element).hasAttribute('value')]).toEqual([false, false])
    portal.tell(RESOLVED)
    portal.tell({ kind: 'phase', phase: 'fetching' })
    portal.tell(progress(110))
    expect(status(element)).toBe('Fetching agent-1.2.3.tar.gz: 50 % verified.')
    expect(bar(element).value).toBeCloseTo(0.55)
    portal.tell({ kind: 'phase', phase: 'checking' })
    expect(status(element)).toBe('Checking the signatures of agent-1.2.3.tar.gz.')
    await portal.deliver()
    expect([element.state, label(element)]).toEqual(['done', 'Save agent-1.2.3.tar.gz again'])
    expect(status(element)).toBe('agent-1.2.3.tar.gz is verified and saved to your downloads.')
    expect([portal.saves, bar(element).hidden]).toEqual([1, true])
    await press(element)
    expect([portal.saves, portal.asked.length]).toEqual([2, 1])
  })

  test('is told to the page by events with their details', async () => {
    const element = put()
    const told: unknown[] = []
    document.addEventListener('sealift-progress', ({ detail }) => told.push(detail), { once: true })
    document.addEventListener('sealift-done', ({ detail }) => told.push(detail.artifact), { once: true })
    await press(element)
    portal.tell(RESOLVED)
    portal.tell(progress(50))
    await portal.deliver()
    expect(told).toEqual([{ filename: FACTS.filename, verifiedBytes: 50, sizeBytes: 200 }, FACTS])
  })

  test('is not saved when the page takes the file itself', async () => {
    const element = put()
    element.addEventListener('sealift-done', (event) => event.preventDefault())
    await press(element)
    await portal.deliver()
    expect([element.state, portal.saves]).toEqual(['done', 0])
    expect([label(element), status(element)]).toEqual(['Save agent-1.2.3.tar.gz', 'agent-1.2.3.tar.gz is verified.'])
    await press(element)
    expect([label(element), portal.saves]).toEqual(['Save agent-1.2.3.tar.gz again', 1])
    expect(status(element)).toBe('agent-1.2.3.tar.gz is verified and saved to your downloads.')
  })

  test('is saved, and the next one shown, when the page starts that as soon as it hears of the first', async () => {
    const element = put()
    element.addEventListener('sealift-done', () => element.start(), { once: true })
    await press(element)
    await portal.deliver()
    expect([element.state, portal.saves, portal.asked.length]).toEqual(['working', 1, 2])
  })

  test('is read out at every quarter, not at every percent', async () => {
    const element = put()
    await press(element)
    portal.tell(RESOLVED)
    portal.tell({ kind: 'phase', phase: 'fetching' })
    const heard = new Set<string>()
    for (let bytes = 0; bytes < 200; bytes++) {
      portal.tell(progress(bytes))
      heard.add(status(element))
    }
    expect(heard.size).toBe(4)
  })
})

describe('the button', () => {
  test('is the same one in every state, so that a keyboard keeps its place', async () => {
    const element = put()
    const before = part(element, 'button')
    before.focus()
    await press(element)
    await portal.deliver()
    expect(element.shadowRoot?.activeElement).toBe(before)
  })

  test('cancels while it works, tells nothing more of that download, and starts another', async () => {
    const element = put()
    const failed = vi.fn()
    element.addEventListener('sealift-failed', failed)
    await press(element)
    await press(element)
    expect([element.state, label(element), status(element)]).toEqual([
      'idle',
      'Download agent',
      'Cancelled. What arrived is kept for the next time.',
    ])
    expect(portal.asked[0]?.options.signal?.aborted).toBe(true)
    portal.tell(progress(50))
    await portal.refuse(portal.asked[0]?.options.signal?.reason)
    expect([element.state, failed.mock.calls.length]).toEqual(['idle', 0])
    await press(element)
    expect(portal.asked).toHaveLength(2)
  })

  test('does not take a double click for a wish to cancel', async () => {
    const element = put()
    await press(element)
    await press(element, 'button', 2)
    expect(element.state).toBe('working')
  })
})

describe('a failure', () => {
  test.each([
    ['refused', new DeliveryError({ code: 'artifact-denied', sha256: DIGEST }), true],
    ['failed', new DeliveryError({ code: 'sources-exhausted', missingPieces: 1, reasons: [] }), false],
  ] as const)('that is %s is told by its code and what to do next', async (state, error, isRefusal) => {
    const element = put()
    const told = vi.fn()
    element.addEventListener('sealift-failed', ({ detail }) => told(detail))
    await press(element)
    await portal.refuse(error)
    expect([element.state, label(element), portal.saves]).toEqual([state, 'Try again', 0])
    expect(status(element)).toContain(`(${error.code})`)
    expect(status(element)).toContain(error.nextStep)
    expect(told).toHaveBeenCalledExactlyOnceWith({ code: error.code, isRefusal, error })
  })

  test('of the page, and of nobody else, is told without a word of it, and reported to the page', async () => {
    const reported = vi.fn()
    vi.stubGlobal('reportError', reported)
    const element = put()
    await press(element)
    await portal.refuse(new TypeError('secret'))
    expect(status(element)).toBe('agent was not delivered (unexpected). Reload this page, then try again.')
    expect(reported).toHaveBeenCalledOnce()
  })

  test('goes when the element is to fetch something else', async () => {
    const element = put()
    await press(element)
    await portal.refuse(new DeliveryError({ code: 'artifact-denied', sha256: DIGEST }))
    element.setAttribute('name', 'other')
    expect([element.state, label(element), status(element)]).toEqual(['idle', 'Download other', ''])
  })
})

describe('where the page asks about sharing', () => {
  test.each([
    ['share', true],
    ['alone', false],
  ])('nothing is fetched before an answer; %s is remembered', async (answer, isGranted) => {
    const element = put({ sharing: 'ask' })
    part(element, 'button').focus()
    await press(element)
    expect([element.state, portal.asked.length, part(element, 'question').hidden]).toEqual(['consent', 0, false])
    expect(element.shadowRoot?.activeElement).toBe(part(element, 'question'))
    await press(element, answer)
    expect(portal.consents).toEqual([isGranted])
    expect([element.state, portal.asked.length, part(element, 'question').hidden]).toEqual(['working', 1, true])
    expect(element.shadowRoot?.activeElement).toBe(part(element, 'button'))
  })

  test('the question is read out, wherever the focus is', async () => {
    const element = put({ sharing: 'ask', 'text-question': 'Share {name}?' })
    element.start()
    await settled()
    expect([element.state, status(element)]).toEqual(['consent', 'Share agent?'])
    await press(element, 'alone')
    expect(status(element)).toBe('Looking for agent.')
  })

  test('the question may be left unanswered', async () => {
    const element = put({ sharing: 'ask' })
    await press(element)
    await press(element)
    expect([element.state, portal.consents, portal.asked]).toEqual(['idle', [], []])
  })

  test('whoever answered on an earlier visit is not asked again', async () => {
    localStorage.setItem('sealift-mesh-consent', 'denied')
    await press(put({ sharing: 'ask' }))
    expect([portal.consents, portal.asked.length]).toEqual([[], 1])
  })

  test('an element without the attribute asks nothing', async () => {
    await press(put())
    expect(portal.asked).toHaveLength(1)
  })
})

describe('the words', () => {
  test('are those of the attributes, and before them those of the property', () => {
    const element = put({ 'text-download': 'Laden: {name}', 'text-retry': 'Nochmal' })
    expect(label(element)).toBe('Laden: agent')
    element.texts = { download: 'Holen: {name}' }
    expect(label(element)).toBe('Holen: agent')
  })

  test('may be set before the element is defined', () => {
    const element = new SealiftDownload()
    // What a page's script leaves on an element that is unknown as yet.
    for (const [name, value] of Object.entries({ texts: { download: 'Holen' }, sdk: portal.sdk }))
      Object.defineProperty(element, name, { value, configurable: true, writable: true })
    document.body.append(element)
    expect(label(element)).toBe('Holen')
    expect(Object.keys(element)).not.toContain('texts')
  })
})

describe('the link inside', () => {
  const isShown = (element: SealiftDownload): boolean => element.shadowRoot?.querySelector('slot')?.hidden === false

  test('is out of sight while the element can work', () => {
    expect(isShown(put())).toBe(false)
  })

  test.each([
    ['over plain http', () => vi.stubGlobal('isSecureContext', false)],
    ['in a browser without workers', () => vi.stubGlobal('Worker', undefined)],
  ])('stands in %s', (_where, lack) => {
    lack()
    const element = put()
    expect([element.state, isShown(element), part(element, 'box').hidden]).toEqual(['link', true, true])
  })

  test.each([
    ['the page', new TypeError('Failed to fetch dynamically imported module')],
    ['the engine', new DeliveryError({ code: 'engine-lost', detail: 'the engine script did not load' })],
  ])('stands in when the script of %s does not load, until the element is put in again and it does', async (_which, error) => {
    const element = put({}, Promise.reject(error))
    await settled()
    expect([element.state, isShown(element)]).toEqual(['link', true])
    element.remove()
    element.sdk = portal.sdk
    document.body.append(element)
    await settled()
    expect([element.state, isShown(element)]).toEqual(['idle', false])
  })

  test('is seen in a browser without constructed style sheets', async () => {
    vi.resetModules()
    const { createView } = await import('../../src/element/view.ts')
    vi.stubGlobal(
      'CSSStyleSheet',
      class {
        constructor() {
          throw new TypeError('Illegal constructor')
        }
      },
    )
    const host = document.createElement('div')
    expect(() => createView(host, { onButton: () => undefined, onAnswer: () => undefined })).toThrow('Illegal constructor')
    expect(host.shadowRoot).toBeNull()
  })

  test('does not stand in for a download that Sealift itself cannot make: the button says why', async () => {
    const element = put({}, Promise.reject(new DeliveryError({ code: 'config-unavailable', detail: 'down' })))
    await settled()
    expect([element.state, isShown(element)]).toEqual(['idle', false])
    await press(element)
    expect(status(element)).toContain('(config-unavailable)')
  })
})

test('a download ends with its element, and goes on when that is only moved', async () => {
  const element = put()
  await press(element)
  document.body.append(document.createElement('main'))
  document.querySelector('main')?.append(element)
  await settled()
  expect(element.state).toBe('working')
  element.remove()
  await settled()
  expect(portal.asked[0]?.options.signal?.aborted).toBe(true)
})
