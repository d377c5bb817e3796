import { InvalidArgumentError } from 'commander'
import { isArtifactName, isSha256, type Sha256 } from '../core/model/ids.ts'
import { isVersion } from '../core/model/names.ts'
import type { Tier } from '../core/ports.ts'
import type { Rollout } from '../node/publish/promote.ts'
import type { ListedVersion } from '../node/publish/yank.ts'

/** `14d`, `12h`, `30m`, `90s` or plain seconds, in seconds. */
export function parseDuration(text: string): number {
  const [, number, unit = 's'] = /^(\d{1,9})([smhd]?)$/.exec(text) ?? []
  const seconds = { s: 1, m: 60, h: 3600, d: 86_400 }[unit === '' ? 's' : unit]
  if (number === undefined || seconds === undefined) throw new InvalidArgumentError('Expected a duration such as 14d, 12h, 30m or 90s.')
  return Number(number) * seconds
}

/** `256K`, `1M` or plain bytes, in bytes. */
export function parseBytes(text: string): number {
  const [, number, unit = ''] = /^(\d{1,9})([KM]?)$/i.exec(text) ?? []
  const factor = { '': 1, k: 1024, m: 1024 * 1024 }[unit.toLowerCase()]
  if (number === undefined || factor === undefined) throw new InvalidArgumentError('Expected a size such as 256K or 1M.')
  return Number(number) * factor
}

export function parseInteger(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Expected a whole number.')
  return Number(text)
}

export function parsePort(text: string): number {
  const port = parseInteger(text)
  if (port > 65_535) throw new InvalidArgumentError('Expected a port up to 65535.')
  return port
}

/** A share between 0 and 1, neither of them: `0.1`. */
export function parseShare(text: string): number {
  const share = /^0?\.\d{1,9}$/.test(text) ? Number(text) : 0
  if (share <= 0) throw new InvalidArgumentError('Expected a share between 0 and 1, such as 0.1.')
  return share
}

export function parseDigest(text: string): Sha256 {
  const lower = text.toLowerCase()
  if (!isSha256(lower)) throw new InvalidArgumentError('Expected a SHA-256: 64 hex digits.')
  return lower
}

/** Gathers digests. */
export function collectDigest(text: string, before: readonly Sha256[] | undefined): readonly Sha256[] {
  return [...(before ?? []), parseDigest(text)]
}

/** Gathers versions: `agent@1.2.3`. */
export function collectVersion(text: string, before: readonly ListedVersion[] | undefined): readonly ListedVersion[] {
  const [, name, version] = /^([^@]+)@([^@]+)$/.exec(text) ?? []
  if (name === undefined || version === undefined) throw new InvalidArgumentError('Expected NAME@VERSION, such as agent@1.2.3.')
  return [...(before ?? []), { name, version }]
}

/** Gathers shares of clients: `agent@1.2.3=50`. */
export function collectRollout(text: string, before: readonly Rollout[] | undefined): readonly Rollout[] {
  const [, name, version, percent] = /^([^@]+)@([^@=]+)=(\d{1,3})$/.exec(text) ?? []
  if (name === undefined || version === undefined || Number(percent) > 100)
    throw new InvalidArgumentError('Expected NAME@VERSION=PERCENT, such as agent@1.2.3=50.')
  return [...(before ?? []), { name, version, percent: Number(percent) }]
}

/** `eu,us`. */
export function parseNames(text: string): readonly string[] {
  const names = text.split(',')
  if (names.includes('') || new Set(names).size < names.length)
    throw new InvalidArgumentError('Expected names with commas between, each once.')
  return names
}

const TIERS: readonly Tier[] = ['cdn', 'gateway', 'mesh']

/** `gateway,mesh,cdn`. */
export function parseTiers(text: string): readonly Tier[] {
  return parseNames(text).map((name) => {
    const tier = TIERS.find((known) => known === name)
    if (tier === undefined) throw new InvalidArgumentError(`Expected ${TIERS.join(', ')} in some order.`)
    return tier
  })
}

/** Gathers an option that may be given several times. */
export function collect(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text]
}

/** A URL with the name that sources are known by: `eu=https://cdn.example/`, or the URL alone. */
export interface NamedUrl {
  readonly id: string
  readonly url: string
}

/** Gathers `[NAME=]URL`; a URL without a name is named after its host. */
export function collectNamedUrl(text: string, before: readonly NamedUrl[] | undefined): readonly NamedUrl[] {
  const [, name, address = ''] = /^(?:([A-Za-z0-9][A-Za-z0-9._-]*)=)?(.*)$/.exec(text) ?? []
  if (!URL.canParse(address)) throw new InvalidArgumentError('Expected a URL such as https://cdn.example/, or NAME=URL.')
  const url = address.endsWith('/') ? address : `${address}/`
  const id = name ?? new URL(url).host.replace(/^\[|\]/g, '')
  if ((before ?? []).some((earlier) => earlier.id === id)) throw new InvalidArgumentError(`${id} is named twice; write NAME=URL.`)
  return [...(before ?? []), { id, url }]
}

/** Gathers `NAME=WORDS`: what is said of an origin, by the name that the origin has. */
export function collectFact(text: string, before: ReadonlyMap<string, string> | undefined): ReadonlyMap<string, string> {
  const [, name, words] = /^([^=]+)=(.+)$/.exec(text) ?? []
  if (name === undefined || words === undefined) throw new InvalidArgumentError('Expected NAME=WORDS, with the name of an origin.')
  return new Map(before).set(name, words)
}

/** Where a torrent's clients find each other. */
export function parseTracker(text: string): string {
  if (!/^(?:https?|udp):/i.test(text) || !URL.canParse(text))
    throw new InvalidArgumentError('Expected a URL such as https://tracker.example/announce.')
  return new URL(text).href
}

/** What a command line asks for. */
export type Wanted =
  | { readonly kind: 'name'; readonly name: string; readonly version: string | undefined }
  | { readonly kind: 'digest'; readonly sha256: Sha256 }

/** `agent`, `agent@1.2.3` or `sha256:…`. */
export function parseWanted(text: string): Wanted {
  if (text.startsWith('sha256:')) return { kind: 'digest', sha256: parseDigest(text.slice('sha256:'.length)) }
  const [, name, version] = /^([^@]+)(?:@([^@]+))?$/.exec(text) ?? []
  if (!isArtifactName(name) || (version !== undefined && !isVersion(version)))
    throw new InvalidArgumentError('Expected NAME, NAME@VERSION such as agent@1.2.3, or sha256:DIGEST.')
  return { kind: 'name', name, version }
}

/** `os/arch` of this machine, in the words that publishers use. */
export function thisPlatform(): string {
  const os: Readonly<Record<string, string>> = { win32: 'windows' }
  const arch: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', arm: 'arm/v7' }
  return `${os[process.platform] ?? process.platform}/${arch[process.arch] ?? process.arch}`
}
