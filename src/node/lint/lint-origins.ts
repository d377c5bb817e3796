import { finding, type Finding } from './finding.ts'
import { hostOf } from '../loopback.ts'
import { isTrustedPlain, zoneOf } from './host.ts'
import type { LintSubject } from './subject.ts'

interface KnownOrigin {
  readonly id: string
  readonly url: string
  readonly operator: string | undefined
  readonly region: string | undefined
}

/** Whether one fault takes away all places that the bytes come from. */
export function lintOrigins(subject: LintSubject): readonly Finding[] {
  const origins = knownOrigins(subject)
  return [
    ...lintCount(subject, origins),
    ...(origins.length > 1 ? lintKinship(subject, origins) : []),
    ...lintSchemes(origins),
    ...lintWaysIn(subject),
    ...lintGateways(subject),
  ]
}

/** Those of the catalogue, which say most of themselves, then those that only the configuration names. */
function knownOrigins({ config, catalogue }: LintSubject): readonly KnownOrigin[] {
  const listed = (catalogue?.origins ?? []).filter(({ tier }) => tier === 'cdn')
  const others = (config?.origins ?? []).filter(({ url }) => !listed.some((one) => one.url === url))
  return [...listed, ...others.map(({ id, url }) => ({ id, url, operator: undefined, region: undefined }))]
}

function lintCount({ config }: LintSubject, [first, second]: readonly KnownOrigin[]): readonly Finding[] {
  if (first === undefined && config === undefined)
    return [finding('origins-elsewhere', 'The catalogue names no origin: give --config too, or name them with `sealift publish --origin`.')]
  if (first === undefined)
    return [
      finding('no-origin', 'No origin is named, so the bytes come from gateways and peers alone: name two with `sealift init --origin`.'),
    ]
  if (second !== undefined) return []
  return [
    finding(
      'single-origin',
      `All depends on the one origin ${first.id}: name a second one, run by somebody else, with \`sealift init --origin\`.`,
    ),
  ]
}

/** What two or more origins have in common. */
function lintKinship(subject: LintSubject, origins: readonly KnownOrigin[]): readonly Finding[] {
  const host = onlyOne(origins.map(({ url }) => hostOf(url)))
  const zone = onlyOne(origins.map(({ url }) => zoneOf(url)))
  const found: Finding[] = []
  if (host !== undefined) found.push(finding('single-host', `All origins are on the host ${host} and fail with it: add one on another.`))
  else if (zone !== undefined)
    found.push(
      finding(
        'single-zone',
        `All origins are under ${zone}, so whoever loses that name loses all of them: add one under another domain. (Judged by the last two labels of each name: under a suffix that many share, such as co.uk, look for yourself.)`,
      ),
    )
  // A configuration has no room for it, and a catalogue that nobody has looked at says nothing.
  if (subject.catalogue === undefined) return found
  return [...found, ...lintFact(origins, 'operator'), ...lintFact(origins, 'region')]
}

const FACTS = {
  operator: { single: 'single-operator', unknown: 'operator-unknown', fails: 'are run by', instead: 'by somebody else' },
  region: { single: 'single-region', unknown: 'region-unknown', fails: 'are in the region', instead: 'elsewhere' },
} as const

function lintFact(origins: readonly KnownOrigin[], fact: 'operator' | 'region'): readonly Finding[] {
  const { single, unknown, fails, instead } = FACTS[fact]
  const silent = origins.filter((origin) => origin[fact] === undefined)
  const only = onlyOne(origins.map((origin) => origin[fact]))
  if (only !== undefined) return [finding(single, `All origins ${fails} ${only}: add one ${instead}.`)]
  if (silent.length === 0) return []
  const names = silent.map(({ id }) => id).join(', ')
  return [
    finding(
      unknown,
      `The ${fact} of ${names} is not said, so nobody can tell whether one fault takes all: say it with \`sealift publish --${fact}\`.`,
    ),
  ]
}

function lintSchemes(origins: readonly KnownOrigin[]): readonly Finding[] {
  return origins
    .filter(({ url }) => url.startsWith('http:') && !isTrustedPlain(url))
    .map(({ id }) =>
      finding('plain-http', `The origin ${id} is reached by http, which browsers block on an https page: serve it by https.`),
    )
}

/** What the catalogue names helps only those who have one. */
function lintWaysIn({ config }: LintSubject): readonly Finding[] {
  if (config === undefined) return []
  const [first, second] = [...config.origins, ...config.gateways]
  if (first === undefined)
    return [
      finding(
        'no-way-in',
        'sealift.json names no place at all, so a new browser finds no catalogue unless the page names one: name two with `sealift init --origin`.',
      ),
    ]
  if (second !== undefined) return []
  return [
    finding(
      'single-way-in',
      `sealift.json names ${first.id} alone, so a new browser finds no catalogue without it: name a second place, though the catalogue may name more.`,
    ),
  ]
}

function lintGateways({ config, catalogue }: LintSubject): readonly Finding[] {
  const listed = (catalogue?.origins ?? []).filter(({ tier }) => tier === 'gateway')
  const own = config?.gateways ?? []
  if (config !== undefined && listed.length + own.length === 0)
    return [
      finding(
        'no-gateway',
        'No gateway in the local network is named, so nothing but peers is left when the internet is gone: see gateway/README.md.',
      ),
    ]
  return own
    .filter(({ url, addressSpace }) => url.startsWith('http:') && !isTrustedPlain(url) && addressSpace === undefined)
    .map(({ id }) =>
      finding('gateway-blocked', `The gateway ${id} has no addressSpace, so an https page does not reach it by http: set it to "local".`),
    )
}

/** What all of them are, or undefined when they differ or one is not known. */
function onlyOne(values: readonly (string | undefined)[]): string | undefined {
  return new Set(values).size === 1 ? values[0] : undefined
}
