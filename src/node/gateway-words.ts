import { isIP } from 'node:net'
import { isAbsolute } from 'node:path'
import { DeliveryError } from '../core/errors.ts'

// What may stand in a configuration of nginx: nothing here can end a statement or begin another.

export function path(name: string, text: string): string {
  if (!isAbsolute(text) || !/^[\w./@+:-]+$/.test(text)) throw invalid(name, 'expected an absolute path without spaces or quotes')
  return text
}

export function word(name: string, text: string): string {
  if (!/^[\w.:[\]-]+$/.test(text)) throw invalid(name, 'expected one word')
  return text
}

/** An address, or a network in CIDR notation. */
export function network(name: string, text: string): string {
  const [address = '', bits, ...more] = text.split('/')
  const longest = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1
  const isNetwork = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= longest)
  if (longest < 0 || !isNetwork || more.length > 0) throw invalid(name, 'expected an address or a network such as 10.0.0.0/8')
  return text
}

export function invalid(where: string, detail: string): DeliveryError {
  return new DeliveryError({ code: 'config-invalid', path: where, detail })
}
