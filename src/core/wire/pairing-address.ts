/** Where a browser can be reached, in a few bytes: a family, then 16 or 4 bytes, then a port. */

/** How the browser learned of it. */
export type AddressType = 'host' | 'srflx' | 'relay'

export interface PairingAddress {
  readonly type: AddressType
  /** `mdns`: a name under `.local` that stands for an address of its network, 16 bytes of a UUID. */
  readonly family: 'mdns' | 'ipv4' | 'ipv6'
  /** 4 bytes of IPv4, else 16. */
  readonly bytes: Uint8Array
  /** 1 to 65535, UDP. */
  readonly port: number
}

const TYPES: readonly AddressType[] = ['host', 'srflx', 'relay']
const FAMILIES: readonly PairingAddress['family'][] = ['mdns', 'ipv4', 'ipv6']
const UUID = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\.local$/
/** RFC 8839 section 5.1, as far as it is of use: component 1, over UDP. */
const CANDIDATE = /^(?:a=)?candidate:\S+ 1 udp \d+ (\S{1,255}) (\d{1,5}) typ (host|srflx|relay)(?: |$)/i
/** RFC 8445 section 5.1.2.2. */
const PREFERENCE: Readonly<Record<AddressType, number>> = { host: 126, srflx: 100, relay: 0 }

export function writeAddress({ type, family, bytes, port }: PairingAddress): Uint8Array {
  const length = lengthOf(family)
  if (bytes.length !== length) throw new RangeError(`expected ${length} bytes, got ${bytes.length}`)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new RangeError(`expected a port, got ${port}`)
  return Uint8Array.from([TYPES.indexOf(type) * 16 + FAMILIES.indexOf(family), ...bytes, port >> 8, port & 0xff])
}

/** @param take the next so many bytes. @returns undefined when the kind is unknown or the port none */
export function readAddress(take: (length: number) => Uint8Array): PairingAddress | undefined {
  const [kind = 0] = take(1)
  const [type, family] = [TYPES[kind >> 4], FAMILIES[kind & 15]]
  if (type === undefined || family === undefined) return undefined
  const bytes = take(lengthOf(family))
  const [high = 0, low = 0] = take(2)
  const port = high * 256 + low
  return port === 0 ? undefined : { type, family, bytes, port }
}

/** Undefined for what another browser could do nothing with: TCP, a second component, a name that is no UUID. */
export function addressOfCandidate(candidate: string): PairingAddress | undefined {
  const [, host = '', portText = '', typeText = ''] = CANDIDATE.exec(candidate) ?? []
  const type = TYPES.find((one) => one === typeText.toLowerCase())
  const port = Number(portText)
  const place = placeOf(host.toLowerCase())
  return type === undefined || place === undefined || port < 1 || port > 65_535 ? undefined : { type, ...place, port }
}

/** @param index among the candidates of its description: the first is preferred */
export function candidateOfAddress({ type, family, bytes, port }: PairingAddress, index: number): string {
  const priority = PREFERENCE[type] * 2 ** 24 + (65_535 - index) * 2 ** 8 + 255
  const related = type === 'host' ? '' : ' raddr 0.0.0.0 rport 0'
  return `candidate:${index + 1} 1 udp ${priority} ${hostOf(family, bytes)} ${port} typ ${type}${related}`
}

function lengthOf(family: PairingAddress['family']): number {
  return family === 'ipv4' ? 4 : 16
}

function placeOf(host: string): Pick<PairingAddress, 'family' | 'bytes'> | undefined {
  const name = UUID.exec(host)
  if (name !== null) return { family: 'mdns', bytes: bytesOfHex(name.slice(1).join('')) }
  const ipv4 = bytesOfIpv4(host)
  if (ipv4 !== undefined) return { family: 'ipv4', bytes: ipv4 }
  const ipv6 = bytesOfIpv6(host)
  return ipv6 && { family: 'ipv6', bytes: ipv6 }
}

function bytesOfHex(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, at) => Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16))
}

function bytesOfIpv4(host: string): Uint8Array | undefined {
  const parts = host.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) return undefined
  return Uint8Array.from(parts, Number)
}

/** Browsers write plain groups; IPv4 at the end of one is left out, since no browser offers such a candidate. */
function bytesOfIpv6(host: string): Uint8Array | undefined {
  const halves = host.split('::')
  if (halves.length > 2 || !/^[0-9a-f:]{2,39}$/.test(host)) return undefined
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const missing = 8 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const groups = [...head, ...Array.from({ length: missing }, () => '0'), ...tail]
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return undefined
  return Uint8Array.from(groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]))
}

function hostOf(family: PairingAddress['family'], bytes: Uint8Array): string {
  if (family === 'ipv4') return [...bytes].join('.')
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  if (family === 'mdns') return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}.local`
  return Array.from({ length: 8 }, (_, at) => Number.parseInt(hex.slice(4 * at, 4 * at + 4), 16).toString(16)).join(':')
}
