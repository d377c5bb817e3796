import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { signalingOptionsFromEnv } from '../../signaling/main.ts'
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

test('while two keys live the first signs, and tickets of both pass', async () => {
  const [dir, clock] = [await temporaryFolder(), stoppedClock()]
  const before = await openMembership(dir, { clock })
  const old = before.mint({ site: SITE, role: 'seed' })
  const newKey = `new:${Buffer.alloc(32, 7).toString('base64url')}`
  for (const between of [',', '\n', ', ']) {
    await writeFile(
      before.keysFile,
      `${newKey}${between}${before.ticketKey.kid}:${Buffer.from(before.ticketKey.secret).toString('base64url')}\n`,
    )
    const { ticketKey, mint } = await openMembership(dir, { clock })
    expect(ticketKey.kid).toBe('new')
    const { admission } = signalingOptionsFromEnv({ SEALIFT_SIGNALING_ORIGINS: SITE, SEALIFT_SIGNALING_KEYS_FILE: before.keysFile })
    if (admission.kind !== 'ticket') throw new Error('expected keys')
    for (const ticket of [old, mint({ site: SITE, role: 'seed' })])
      expect(verifyTicket(credentialOf(ticket), admission.keys, 1_800_000_000)).toMatchObject({ kind: 'valid' })
  }
})

test.each([
  ['nothing', ''],
  ['a secret without a kid', 'A'.repeat(43)],
  ['a secret that is too short', `k:${'A'.repeat(20)}`],
  ['a kid of other characters', `k?:${'A'.repeat(43)}`],
  ['two secrets for one kid', `k:${'A'.repeat(43)},k:${'A'.repeat(42)}E`],
])('a file of keys with %s is refused, and no secret is quoted', async (_, text) => {
  const dir = await temporaryFolder()
  const { keysFile } = await openMembership(dir, { clock: stoppedClock() })
  await writeFile(keysFile, text)
  const refusal: unknown = await openMembership(dir, { clock: stoppedClock() }).catch((error: unknown) => error)
  expect(refusal).toMatchObject({ failure: { code: 'input-invalid', path: keysFile } })
  expect(inspect(refusal)).not.toContain('AAAA')
})
