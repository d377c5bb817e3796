import { fromBase64Url } from '../base64.ts'
import { isKid, type TicketKey } from './ticket.ts'

/** All keys of a portal and its signaling server; the first one signs. */
export type TicketKeys = readonly [TicketKey, ...TicketKey[]]

/**
 * Reads `kid:base64url secret`, once or more, with commas or line breaks between.
 * @param refuse makes the error; its detail never quotes a secret
 */
export function parseTicketKeys(text: string, refuse: (detail: string) => Error): TicketKeys {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== '')
  const [first, ...rest] = entries.map((entry) => parseEntry(entry, refuse))
  if (first === undefined) throw refuse('expected kid:secret')
  const all = [first, ...rest]
  const twice = all.find(({ kid }, at) => all.findIndex((other) => other.kid === kid) !== at)
  if (twice !== undefined) throw refuse(`has two secrets for ${twice.kid}`)
  return [first, ...rest]
}

function parseEntry(entry: string, refuse: (detail: string) => Error): TicketKey {
  const [kid, text = '', ...more] = entry.split(':')
  const secret = fromBase64Url(text)
  // Without a colon the kid may be the secret itself.
  if (text === '' || secret === undefined || more.length > 0) throw refuse('expected kid:secret with a base64url secret')
  if (!isKid(kid)) throw refuse('expected a kid of 1 to 32 base64url characters')
  if (secret.length < 32) throw refuse(`expected at least 32 secret bytes for ${kid}, got ${secret.length}`)
  return { kid, secret }
}
