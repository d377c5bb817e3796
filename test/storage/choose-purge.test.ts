import { expect, test } from 'vitest'
import { choosePurge, type KeptArtifact } from '../../src/storage/choose-purge.ts'

const DAY_MS = 86_400_000
const NOW = 100 * DAY_MS

/** Of ten bytes, last used so many days ago. */
function kept(name: string, daysAgo: number, changes: Partial<KeptArtifact> = {}): KeptArtifact {
  const lastUsedAtMs = NOW - daysAgo * DAY_MS
  const facts = { sha256: name, name, version: '1', filename: name, sizeBytes: 10, keptBytes: 10, isComplete: true, isPinned: false }
  return { ...facts, createdAtMs: 0, lastUsedAtMs, ...changes }
}

const SHELF = [kept('new', 1), kept('old', 30), kept('older', 60), kept('pinned', 90, { isPinned: true })]

test.each([
  ['nothing without a limit', {}, []],
  ['nothing while all of it fits', { maxBytes: 40 }, []],
  ['the least recently used until the rest fits', { maxBytes: 29 }, ['older', 'old']],
  ['all but what is pinned, when that alone is too much', { maxBytes: 0 }, ['older', 'old', 'new']],
  ['what was not used for too long', { maxAgeSeconds: 45 * 86_400 }, ['older']],
  ['nothing at the very end of its time', { maxAgeSeconds: 60 * 86_400 }, []],
  ['what is too old, and no more when the rest then fits', { maxAgeSeconds: 45 * 86_400, maxBytes: 30 }, ['older']],
])('chooses %s', (_what, limits, names) => {
  expect(choosePurge(SHELF, limits, NOW).map(({ name }) => name)).toEqual(names)
})

test('what a clock that was put back says of the future is no age', () => {
  expect(choosePurge([kept('later', -5)], { maxAgeSeconds: 0 }, NOW)).toEqual([])
})

test('a half that is kept counts as a half', () => {
  const half = kept('half', 9, { keptBytes: 5, isComplete: false })
  expect(choosePurge([half, kept('whole', 1)], { maxBytes: 15 }, NOW)).toEqual([])
})
