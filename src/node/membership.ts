import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { nowSeconds } from '../core/clock.ts'
import { DeliveryError } from '../core/errors.ts'
import type { Clock } from '../core/ports.ts'
import { fromBase64Url, toBase64Url } from '../core/base64.ts'
import { mintTicket, TICKET_MAX_SECONDS, type TicketKey } from '../core/wire/ticket.ts'
import { parseTicketKeys } from '../core/wire/ticket-keys.ts'
import { createFileDurably, errorCode } from './durable-file.ts'

/** A ticket office: the secrets that a portal needs to let its visitors into the mesh. */
export interface Membership {
  /** The one that signs: the first in `keysFile`, where a signaling server reads them all. */
  readonly ticketKey: TicketKey
  /** `kid:base64url secret`, with commas or line breaks between several. */
  readonly keysFile: string
  /** @param options.lifetimeSeconds default and ceiling: 30 days */
  mint(options: { readonly site: string; readonly role: 'leech' | 'seed'; readonly lifetimeSeconds?: number | undefined }): string
}

/**
 * Opens the ticket office in `dir`, or makes it: a key shared with the signaling server, and the swarm key of all members.
 * @throws {DeliveryError} `input-invalid` when the folder holds something else
 * @example
 * const membership = await openMembership('secrets', { clock: systemClock })
 * console.log(membership.mint({ site: 'https://portal.example', role: 'leech' }))
 */
export async function openMembership(dir: string, options: { readonly clock: Clock }): Promise<Membership> {
  const keysFile = join(dir, 'signaling-keys')
  const keysText = await readOrMake(keysFile, () => `k${randomBytes(4).toString('hex')}:${newSecret()}`)
  const [ticketKey] = parseTicketKeys(keysText, (detail) => new DeliveryError({ code: 'input-invalid', path: keysFile, detail }))
  const swarmKeyFile = join(dir, 'swarm-key')
  const swarmKey = toSecret(await readOrMake(swarmKeyFile, newSecret), swarmKeyFile)
  return {
    ticketKey,
    keysFile,
    mint({ site, role, lifetimeSeconds = TICKET_MAX_SECONDS }) {
      const jti = toBase64Url(randomBytes(16))
      return mintTicket({ site, role, swarmKey, lifetimeSeconds, jti }, ticketKey, nowSeconds(options.clock))
    },
  }
}

function newSecret(): string {
  return toBase64Url(randomBytes(32))
}

function toSecret(text: string, path: string): Uint8Array {
  const secret = fromBase64Url(text)
  if (secret?.length === 32) return secret
  throw new DeliveryError({ code: 'input-invalid', path, detail: 'does not hold a key of 32 bytes' })
}

async function readOrMake(path: string, make: () => string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw new DeliveryError({ code: 'input-invalid', path, detail: 'cannot be read' }, { cause: error })
    await createFileDurably(path, `${make()}\n`, { mode: 0o600 })
    return (await readFile(path, 'utf8')).trim()
  }
}
