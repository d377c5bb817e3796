import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { toPeerId } from 'sealift/protocol'
import { createIce } from '../../signaling/turn.ts'
import { findCoturn, startCoturn, TURN_SECRET, type TestCoturn } from './coturn.ts'
import { connectTurn, type TurnClient } from './turn-client.ts'

const program = findCoturn()
if (program === undefined) console.warn('NOT RUN: relaying through coturn, because it is missing. Install it: apt-get install coturn')

describe.skipIf(program === undefined)('coturn with the shipped settings', () => {
  let coturn: TestCoturn

  beforeAll(async () => {
    coturn = await startCoturn(program ?? '')
  })

  afterAll(async () => {
    await coturn.close()
  })

  /** With what signaling gives to a member at this time. */
  async function member(terms: { readonly nowSeconds?: number; readonly secret?: string } = {}): Promise<TurnClient> {
    const { nowSeconds = Math.floor(Date.now() / 1000), secret = TURN_SECRET } = terms
    const urls = [`turn:127.0.0.1:${coturn.port}`]
    const [relay] = createIce([], { urls, secret, lifetimeSeconds: 600 })(toPeerId('k3vQ0aWm1ZpTn8Lx'), nowSeconds)
    const client = await connectTurn(coturn.port, relay?.username ?? '', relay?.credential ?? '')
    onTestFinished(() => client.close())
    return client
  }

  test('sg12.turn-cred: relays for whoever has the credentials of a welcome', async () => {
    const client = await member()
    expect(await client.allocate()).toBe(200)
    expect(await client.permit('203.0.113.7')).toBe(200)
  })

  test('sg12.turn-cred: relays for nobody whose credentials have ended, or come from elsewhere', async () => {
    const nowSeconds = Math.floor(Date.now() / 1000)
    expect(await (await member({ nowSeconds: nowSeconds - 601 })).allocate()).toBe(401)
    expect(await (await member({ secret: 'a secret of somebody else, as long' })).allocate()).toBe(401)
  })

  test.each(['10.1.2.3', '127.0.0.1', '169.254.169.254', '172.20.0.1', '192.168.1.1', '100.64.0.1'])(
    'sg12.turn-cred: relays nothing to %s',
    async (address) => {
      const client = await member()
      expect(await client.allocate()).toBe(200)
      expect(await client.permit(address)).toBe(403)
    },
  )
})
