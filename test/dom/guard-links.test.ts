import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { toSha256 } from '../../src/core/model/ids.ts'
import type { ArtifactRequest } from '../../src/core/wire/delivery-event.ts'
import { guardLinks } from '../../src/page/guard-links.ts'

const SCOPE = 'https://portal.example/'
const DIGEST = 'a'.repeat(64)
const BY_DIGEST = `${SCOPE}_sealift/sha256/${DIGEST}/agent.tar.gz`
const BY_NAME = `${SCOPE}_sealift/name/edge-agent@1.2.3/agent.tar.gz`
const ALIAS = 'https://get.acme.example/agent'

let clicked: ArtifactRequest[]
let stop: () => void

beforeEach(() => {
  clicked = []
  document.body.innerHTML = ''
  stop = guardLinks(document, {
    scope: SCOPE,
    isAlias: (url) => url === ALIAS,
    onClick: (request) => void clicked.push(request),
  })
})

afterEach(() => stop())

function addLink(href: string, content = 'get it'): HTMLAnchorElement {
  const link = document.createElement('a')
  link.href = href
  link.setAttribute('download', 'agent.tar.gz')
  link.innerHTML = content
  document.body.append(link)
  return link
}

/** Clicks, and says whether the browser was kept from following the link. */
function click(target: Element, how: MouseEventInit = {}): boolean {
  return !target.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true, button: 0, ...how }))
}

/** Observers are told after the task that changed the document. */
const changesAreSeen = (): Promise<void> => new Promise((resolve) => setTimeout(resolve))

describe('a plain click on a link to an artifact', () => {
  test.each<[string, string, ArtifactRequest]>([
    ['digest', BY_DIGEST, { kind: 'digest', sha256: toSha256(DIGEST) }],
    ['name', BY_NAME, { kind: 'name', name: 'edge-agent', version: '1.2.3', platform: undefined, channel: undefined }],
    ['plain URL that stands for it', ALIAS, { kind: 'alias', url: ALIAS }],
  ])('by %s becomes a download of the SDK', (_what, href, request) => {
    expect(click(addLink(href))).toBe(true)
    expect(clicked).toEqual([request])
  })

  test('counts on anything inside the link', () => {
    const link = addLink(BY_DIGEST, '<b>get <i>it</i></b>')
    const inner = link.querySelector('i')
    if (inner === null) throw new RangeError('the link has no such child')
    expect(click(inner)).toBe(true)
    expect(clicked).toHaveLength(1)
  })

  test('is the page\u2019s own when it has handled the click already', () => {
    const link = addLink(BY_DIGEST)
    link.addEventListener('click', (event) => event.preventDefault())
    click(link)
    expect(clicked).toEqual([])
  })
})

test.each<[string, MouseEventInit]>([
  ['control', { ctrlKey: true }],
  ['command', { metaKey: true }],
  ['shift', { shiftKey: true }],
  ['alt', { altKey: true }],
  ['the middle button', { button: 1 }],
])('a click with %s is left to the browser', (_what, how) => {
  expect(click(addLink(BY_DIGEST), how)).toBe(false)
  expect(clicked).toEqual([])
})

test.each([
  ['an ordinary page', `${SCOPE}docs/`],
  ['a virtual URL of another scope', `https://other.example/_sealift/sha256/${DIGEST}/agent.tar.gz`],
  ['a virtual URL that is not well-formed', `${SCOPE}_sealift/sha256/${DIGEST.toUpperCase()}/agent.tar.gz`],
])('a link to %s is not ours: click and download attribute stay', async (_what, href) => {
  const link = addLink(href)
  await changesAreSeen()
  expect(click(link)).toBe(false)
  expect(link.hasAttribute('download')).toBe(true)
  expect(clicked).toEqual([])
})

describe('the download attribute, which would lead past the service worker,', () => {
  test('is taken off links that are there already', () => {
    const link = addLink(BY_DIGEST)
    const other = guardLinks(document, { scope: SCOPE, isAlias: () => false, onClick: () => undefined })
    other()
    expect(link.hasAttribute('download')).toBe(false)
  })

  test('is taken off links that are added later, also deep inside', async () => {
    const section = document.createElement('section')
    section.innerHTML = `<p><a href="${ALIAS}" download>get it</a></p>`
    document.body.append(section)
    await changesAreSeen()
    expect(section.querySelector('a')?.hasAttribute('download')).toBe(false)
  })

  test('is taken off again when a script puts it back, or points the link at an artifact', async () => {
    const back = addLink(BY_DIGEST)
    const pointed = addLink(`${SCOPE}docs/`)
    await changesAreSeen()
    back.setAttribute('download', '')
    pointed.href = BY_NAME
    await changesAreSeen()
    expect(back.hasAttribute('download')).toBe(false)
    expect(pointed.hasAttribute('download')).toBe(false)
  })
})

test('nothing is guarded any more once it is stopped', async () => {
  stop()
  const link = addLink(BY_DIGEST)
  await changesAreSeen()
  expect(click(link)).toBe(false)
  expect(link.hasAttribute('download')).toBe(true)
  expect(clicked).toEqual([])
})
