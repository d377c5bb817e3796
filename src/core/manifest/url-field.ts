import type { JsonField } from '../json/json-field.ts'

/**
 * A base URL that the published layout hangs under: http or https, ending in `/`, without credentials, query or fragment.
 * Plain http is allowed: gateways and demos live in a LAN, and nothing here is trusted for coming over TLS.
 *
 * @param base what a relative URL is resolved against; without it the URL has to be absolute
 */
export function readBaseUrl(field: JsonField, base?: string): string {
  const url = readUrl(field, ['http:', 'https:'], base)
  if (url.includes('?')) throw field.refuse('expected a URL without a query')
  if (!url.endsWith('/')) throw field.refuse('expected a URL that ends in /')
  return url
}

/** An http or https URL without credentials and fragment; a query is allowed. */
export function readWebUrl(field: JsonField, base?: string): string {
  return readUrl(field, ['http:', 'https:'], base)
}

/** A `wss:` or `ws:` URL. One given relative to an https page becomes `wss:`. */
export function readSocketUrl(field: JsonField, base: string): string {
  const url = readUrl(field, ['ws:', 'wss:', 'http:', 'https:'], base)
  return url.startsWith('http') ? `ws${url.slice('http'.length)}` : url
}

function readUrl(field: JsonField, protocols: readonly string[], base: string | undefined): string {
  const text = field.text()
  if (!URL.canParse(text, base)) throw field.refuse(base === undefined ? 'expected an absolute URL' : 'expected a URL')
  const url = new URL(text, base)
  if (!protocols.includes(url.protocol)) throw field.refuse(`expected a URL that starts with ${protocols.join(' or ')}`)
  if (url.username !== '' || url.password !== '') throw field.refuse('expected a URL without credentials')
  if (url.href.includes('#')) throw field.refuse('expected a URL without a fragment')
  return url.href
}
