import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { toArtifactName, toSha256 } from '../../src/core/model/ids.ts'
import type { ArtifactFacts } from '../../src/core/wire/delivery-event.ts'
import { saveFile, toFile } from '../../src/page/hand-over.ts'

const FACTS: ArtifactFacts = {
  name: toArtifactName('edge-agent'),
  version: '1.2.3',
  platform: undefined,
  filename: 'edge-agent.tar.gz',
  mediaType: 'application/gzip',
  sizeBytes: 5,
  sha256: toSha256('a'.repeat(64)),
  pieceCount: 1,
  pieceLengthBytes: 65_536,
}

interface Saved {
  readonly href: string
  readonly name: string
}

let saved: Saved[]
let revoked: string[]

beforeEach(() => {
  vi.useFakeTimers()
  saved = []
  revoked = []
  vi.spyOn(URL, 'revokeObjectURL').mockImplementation((url) => void revoked.push(url))
  document.addEventListener('click', note)
})

afterEach(() => {
  document.removeEventListener('click', note)
  vi.restoreAllMocks()
  vi.useRealTimers()
})

function note(event: Event): void {
  event.preventDefault()
  if (event.target instanceof HTMLAnchorElement) saved.push({ href: event.target.href, name: event.target.download })
}

test('a file has the name of its artifact and the very bytes that were verified', async () => {
  const file = toFile(new Blob(['hello']), FACTS)
  expect([file.name, file.type, await file.text()]).toEqual(['edge-agent.tar.gz', 'application/gzip', 'hello'])
})

test.each(['text/html', 'image/svg+xml', 'application/javascript'])(
  'a file of type %s is given none that a browser would run',
  (mediaType) => {
    expect(toFile(new Blob(['<script>']), { ...FACTS, mediaType }).type).toBe('application/octet-stream')
  },
)

test('saving is one click on a link that nobody sees, and the link is gone afterwards', () => {
  saveFile(toFile(new Blob(['hello']), FACTS))
  expect(saved).toEqual([{ href: expect.stringMatching(/^blob:/), name: 'edge-agent.tar.gz' }])
  expect(document.querySelectorAll('a')).toHaveLength(0)
})

test('the bytes stay reachable while the browser may still be reading them, and no longer', () => {
  saveFile(toFile(new Blob(['hello']), FACTS))
  vi.advanceTimersByTime(30_000)
  expect(revoked).toEqual([])
  vi.advanceTimersByTime(60_000)
  expect(revoked).toEqual([saved[0]?.href])
})
