import './many-waiters.ts'
import { expect, test, vi } from 'vitest'
import { runCampaign, type Tally } from './campaign.ts'
import { createScenes } from './scenes.ts'
import { visit } from './visit.ts'

/** Each run tries other histories of two failures. */
const SEED = Math.floor(Math.random() * 2 ** 32)
/** A two-hundredth of them: the rest is for `npm run failpoints`. */
const SHARE = 0.005

vi.setConfig({ testTimeout: 300_000 })

const kept = ({ findings, refetched, lost, unverified, unfinished }: Tally) => ({ findings, refetched, lost, unverified, unfinished })
const NOTHING = { findings: [], refetched: 0, lost: 0, unverified: 0, unfinished: 0 }

test(`I10: whatever fails, or dies, at any place where storage is waited for: nothing that was kept is lost, fetched again or wrong; seed ${SEED}`, async () => {
  const tally = await runCampaign({ scenes: await createScenes(), share: SHARE, seed: SEED })
  expect(kept(tally)).toEqual(NOTHING)
  expect(tally.places, 'places to fail').toBeGreaterThan(500)
  expect(tally.singles, 'failures').toBeGreaterThan(2000)
  expect(tally.doubles, 'second failures').toBeGreaterThan(50)
})

test('a file system that only says it has flushed is found out', async () => {
  const scenes = (await createScenes()).filter(({ name }) => name === 'opfs: nothing is kept')
  const { lost, refetched, unverified } = await runCampaign({ scenes, share: 0, seed: 1, liesAboutFlushing: true })
  for (const [what, count] of Object.entries({ lost, refetched, unverified })) expect(count, what).toBeGreaterThan(0)
})

test('every step of keeping an artifact is a place to fail', async () => {
  const names = new Set<string>()
  for (const scene of await createScenes()) for (const { name } of (await visit(scene.image, 2, scene)).points.passed) names.add(name)
  for (const step of STEPS) expect([...names], step).toContain(step)
})

const STEPS = [
  'opening a file to write',
  'reserving room in a file',
  'writing to a file',
  'flushing a file',
  'closing a file',
  'opening a file to read',
  'reading from an open file',
  'reading from a snapshot',
  'replacing a file',
  'removing a file',
  'opening an artifact: committing',
  'updating an artifact: committing',
  'forgetting an artifact: committing',
  'writing piece flags: committing',
  'writing pieces: committing',
  'forgetting pieces: committing',
  'reading piece flags: reading all of pieces',
  'keeping records: committing',
  'keeping a document: committing',
  'keeping an audit record: committing',
]
