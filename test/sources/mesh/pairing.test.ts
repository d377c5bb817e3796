import { afterEach, expect, test } from 'vitest'
import { failureOf } from '../../../src/core/errors.ts'
import type { Clock } from '../../../src/core/ports.ts'
import { decodePairingCode, encodePairingCode } from '../../../src/core/wire/pairing-code.ts'
import { loadWrtc } from '../../../src/node/seed/wrtc.ts'
import { startMesh, type Mesh } from '../../../src/sources/mesh/mesh.ts'
import { emptySeedStore, type SeedStore } from '../../../src/sources/mesh/seed-store.ts'
import { simplePeerLinks } from '../../../src/sources/mesh/simple-peer-link.ts'
import { systemClock } from '../../fakes/system-clock.ts'

const CATALOGUE = new TextEncoder().encode('{"payload":"passed on by hand"}')
const never = new AbortController().signal
const wrtc = await loadWrtc()
const meshes: Mesh[] = []

afterEach(() => {
  for (const mesh of meshes.splice(0)) mesh.close()
})

/** A mesh that knows no signaling server, over real WebRTC. */
function openMesh(given: { readonly repository?: string; readonly seedStore?: SeedStore; readonly clock?: Clock } = {}): Mesh {
  const { repository = 'acme', seedStore = emptySeedStore, clock = systemClock } = given
  const mesh = startMesh(
    {
      signalingUrls: [],
      repository,
      ticket: undefined,
      seedStore,
      createLink: simplePeerLinks({ mode: 'lan', iceServers: [], clock: systemClock, wrtc }),
      WebSocket: class {
        constructor() {
          throw new TypeError('nobody is to be called')
        }
        addEventListener(): void {}
        send(): void {}
        close(): void {}
      },
      clock,
      random: Math.random,
      randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    },
    never,
  )
  meshes.push(mesh)
  return mesh
}

const later = (seconds: number): Clock => ({ ...systemClock, nowMs: () => systemClock.nowMs() + seconds * 1000 })

async function failureIn(work: Promise<unknown>) {
  return await work.then(
    () => undefined,
    (error: unknown) => failureOf(error) ?? error,
  )
}

test('two peers meet over two codes and no server, prove their membership, and exchange what they have', async () => {
  const [first, second] = [openMesh({ seedStore: { ...emptySeedStore, catalogue: async () => CATALOGUE } }), openMesh()]
  const offer = await first.pair(never)
  const answer = await second.answerPairing(offer.code, never)
  const met = await Promise.all([offer.accept(answer.code), answer.connected])
  expect(met.map((peer) => peer.startsWith('peer:'))).toEqual([true, true])
  const [source] = second.sources().catalogues()
  expect(await source?.readCatalogue(1000, never)).toEqual(CATALOGUE)
  expect((await first.stats()).map(({ path }) => path)).toEqual(['lan'])
})

test('a wrong code is refused with its reason, and the right one is still taken afterwards', async () => {
  const [first, second, third] = [openMesh(), openMesh(), openMesh()]
  const [offer, other] = await Promise.all([first.pair(never), third.pair(never)])
  const answer = await second.answerPairing(offer.code, never)
  const stray = await second.answerPairing(other.code, never)
  const altered = `${answer.code.slice(0, -1)}${answer.code.endsWith('A') ? 'B' : 'A'}`
  const reasons = await Promise.all([altered, other.code, offer.code, stray.code].map((code) => failureIn(offer.accept(code))))
  expect(reasons).toMatchObject(['unreadable', 'side', 'side', 'pairing'].map((reason) => ({ code: 'pairing-refused', reason })))
  expect(await failureIn(second.answerPairing(answer.code, never))).toMatchObject({ reason: 'side' })
  await offer.accept(answer.code)
  expect(first.sources().current()).toHaveLength(1)
})

test('a code of another site, and one whose time is over, are refused before anything is connected to', async () => {
  const [ours, theirs, late] = [openMesh(), openMesh({ repository: 'other' }), openMesh({ clock: later(601) })]
  const { code } = await ours.pair(never)
  expect(await failureIn(theirs.answerPairing(code, never))).toMatchObject({ code: 'pairing-refused', reason: 'site' })
  expect(await failureIn(late.answerPairing(code, never))).toMatchObject({ code: 'pairing-refused', reason: 'expired' })
})

test('a pairing that is given up takes no answer any more, and leaves nothing behind', async () => {
  const [first, second] = [openMesh(), openMesh()]
  const stop = new AbortController()
  const offer = await first.pair(stop.signal)
  const answer = await second.answerPairing(offer.code, never)
  const reason = new Error('changed my mind')
  stop.abort(reason)
  await expect(offer.accept(answer.code)).rejects.toBe(reason)
  expect(first.sources().isGrowing()).toBe(false)
})

test('an answering side that is given up rejects with the reason itself', async () => {
  const [first, second] = [openMesh(), openMesh()]
  const stop = new AbortController()
  const answer = await second.answerPairing((await first.pair(never)).code, stop.signal)
  const reason = new Error('changed my mind')
  stop.abort(reason)
  await expect(answer.connected).rejects.toBe(reason)
})

test('a stranger who answers in the place of a member, with codes made to look right, is not let in', async () => {
  const [member, stranger] = [openMesh(), openMesh({ repository: 'foreign' })]
  const [offer, own] = await Promise.all([member.pair(never), stranger.pair(never)])
  const [seen, known] = [decodePairingCode(offer.code), decodePairingCode(own.code)]
  const reply = await stranger.answerPairing(encodePairingCode({ ...seen, site: known.site }), never)
  const disguised = encodePairingCode({ ...decodePairingCode(reply.code), site: seen.site })
  expect(await failureIn(offer.accept(disguised))).toMatchObject({ code: 'peer-proof' })
  expect([member, stranger].map((mesh) => mesh.sources().current().length)).toEqual([0, 0])
})
