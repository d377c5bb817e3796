import { expect, test } from 'vitest'
import { openSwarmKey, swarmIdOf, toPeerId, toSha256, toSwarmId, type SwarmId } from 'sealift/protocol'
import { enter, joined, serve, SWARM, SWARM_KEY, ticket } from './members.ts'

/** What everybody can read on the release site, and the room of which `SWARM` is. */
const DIGEST = toSha256('ab'.repeat(32))
const REPOSITORY = 'acme'

test('sg09.enumerate: who knows the public digest and has a ticket of another key finds no room, and cannot tell one that is there from one that is not', async () => {
  expect(swarmIdOf(SWARM_KEY, DIGEST)).toBe(SWARM)
  const server = await serve()
  const members = [await joined(server), await joined(server)]
  const stranger = await enter(server, { ticket: ticket({ swarmKey: new Uint8Array(32).fill(1) }) })
  const guesses: readonly SwarmId[] = [
    swarmIdOf(openSwarmKey(REPOSITORY), DIGEST),
    swarmIdOf(new Uint8Array(32).fill(1), DIGEST),
    toSwarmId(Buffer.from(DIGEST, 'hex').toString('base64url')),
  ]
  for (const swarm of guesses) {
    expect(swarm).not.toBe(SWARM)
    stranger.client.send({ type: 'join', swarm, role: 'leech' })
    expect((await stranger.client.next('peers')).peers).toEqual([])
  }
  const absent = swarmIdOf(new Uint8Array(32).fill(2), DIGEST)
  const probe = async (swarm: SwarmId): Promise<readonly object[]> => {
    stranger.client.send({ type: 'sig', swarm, sid: '1', to: members[0]?.welcome.id ?? toPeerId('nobody-00'), kind: 'end' })
    stranger.client.send({ type: 'report', swarm, peer: toPeerId('nobody-00'), reason: 'proof' })
    return [await stranger.client.next('error'), await stranger.client.next('error')].map((error) => ({ ...error, swarm: undefined }))
  }
  expect(await probe(SWARM)).toEqual(await probe(absent))
  for (const { client } of members) {
    await client.next('peers')
    expect(client.pending().map(({ type }) => type)).not.toContain('sig')
  }
})

test('sg09.enumerate: nothing that may be asked lists rooms, nor more of one than eight', async () => {
  const server = await serve()
  for (let member = 0; member < 12; member++) await joined(server)
  const { client } = await joined(server)
  expect((await client.next('peers')).peers).toHaveLength(8)
  for (const text of ['{"type":"rooms"}', '{"type":"scrape"}', `{"type":"peers","swarm":"${SWARM}"}`]) {
    client.sendText(text)
    expect(await client.next('error')).toMatchObject({ code: 'bad-message' })
  }
  const pages = await Promise.all(
    ['/', '/rooms', '/metrics'].map(async (path) => (await fetch(`http://127.0.0.1:${server.port}${path}`)).text()),
  )
  expect(pages.join('')).not.toContain(SWARM)
})
