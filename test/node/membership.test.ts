import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { credentialOf, parseTicket, verifyTicket } from '../../src/core/wire/ticket.ts'
import { openMembership } from '../../src/node/membership.ts'
import { stoppedClock } from './publish-fixture.ts'
import { temporaryFolder } from './temporary-folder.ts'

const SITE = 'https://portal.acme.test'

test('tickets of all starts belong to one swarm, and pass the key in the file', async () => {
  const [dir, clock] = [await temporaryFolder(), stoppedClock()]
  const [first, second] = [await openMembership(dir, { clock }), await openMembership(dir, { clock })]
  const tickets = [first, second].map((membership) => membership.mint({ site: SITE, role: 'seed' }))
  for (const ticket of tickets) {
    const verdict = verifyTicket(credentialOf(ticket), [first.ticketKey], 1_800_000_000 + 29 * 86_400)
    expect(verdict).toMatchObject({ kind: 'valid', claims: { site: SITE, role: 'seed' } })
  }
  const [one, other] = tickets.map(parseTicket)
  expect(one?.swarmKey).toEqual(other?.swarmKey)
  expect(one?.jti).not.toBe(other?.jti)
  expect((await stat(first.keysFile)).mode & 0o777).toBe(0o600)
})

test('secrets that are no keys are refused', async () => {
  const dir = await temporaryFolder()
  await writeFile(join(dir, 'swarm-key'), 'short')
  await expect(openMembership(dir, { clock: stoppedClock() })).rejects.toMatchObject({ code: 'input-invalid' })
})
