import type { Catalogue } from '../../core/manifest/catalogue.ts'
import { isEntryDenied } from '../../core/manifest/choose.ts'
import { DEFAULT_MAX_GRACE_SECONDS } from '../../core/manifest/parse-site-config.ts'
import { compareVersions } from '../../core/manifest/version-order.ts'
import { finding, type Finding } from './finding.ts'
import type { LintSubject } from './subject.ts'

/** Whether the catalogue outlives an outage, and offers what it lists. */
export function lintCatalogue(catalogue: Catalogue, subject: LintSubject): readonly Finding[] {
  return [
    ...lintOwner(catalogue, subject),
    ...lintAge(catalogue, subject),
    ...lintGrace(catalogue, subject),
    ...lintOffers(catalogue, subject),
  ]
}

function lintOwner({ repository }: Catalogue, { config, isCatalogueVerified }: LintSubject): readonly Finding[] {
  if (config !== undefined && config.repository !== repository)
    return [
      finding(
        'repository-other',
        `The catalogue is of ${repository} and the configuration of ${config.repository}, so clients refuse it: publish the right one.`,
      ),
    ]
  return isCatalogueVerified
    ? []
    : [finding('catalogue-unverified', 'Nobody said whose signature counts, so the catalogue was taken as it is: give --config.')]
}

function graceOf({ graceSeconds }: Catalogue, { config }: LintSubject): number {
  return Math.min(graceSeconds, config?.maxGraceSeconds ?? DEFAULT_MAX_GRACE_SECONDS)
}

function lintAge(catalogue: Catalogue, subject: LintSubject): readonly Finding[] {
  const { nowSeconds, outageSeconds } = subject
  const { createdAtSeconds, expiresAtSeconds } = catalogue
  const graceSeconds = graceOf(catalogue, subject)
  const leftSeconds = expiresAtSeconds - nowSeconds
  if (leftSeconds + graceSeconds < 0)
    return [finding('catalogue-expired', `The catalogue ran out ${inWords(-leftSeconds)} ago, and clients refuse it: publish now.`)]
  if (leftSeconds < 0)
    return [finding('catalogue-in-grace', `The catalogue ran out ${inWords(-leftSeconds)} ago and lives on its grace: publish now.`)]
  // `sealift publish` leaves a catalogue as it is until half of its life is over: that much, no more, is left when the outage begins at the wrong moment.
  const lifetimeSeconds = expiresAtSeconds - createdAtSeconds
  const sureSeconds = Math.floor(lifetimeSeconds / 2) + graceSeconds
  const found: Finding[] = []
  if (leftSeconds < lifetimeSeconds / 2)
    found.push(
      finding(
        'catalogue-ageing',
        `More than half of the catalogue's life is over, ${inWords(leftSeconds)} are left: publish again, new files or not.`,
      ),
    )
  if (sureSeconds < outageSeconds)
    found.push(
      finding(
        'catalogue-short',
        `The catalogue lives for ${inWords(lifetimeSeconds)} and is renewed at half of that, so an outage of ${inWords(outageSeconds)} may end it: raise \`sealift publish --expires-in\` or \`--grace\`.`,
      ),
    )
  return found
}

function lintGrace(catalogue: Catalogue, subject: LintSubject): readonly Finding[] {
  const { graceSeconds } = catalogue
  if (graceSeconds === 0)
    return [
      finding(
        'no-grace',
        'The catalogue has no grace: on the second that it runs out, no name is resolved any more, outage or not. Set `sealift publish --grace`.',
      ),
    ]
  const allowedSeconds = graceOf(catalogue, subject)
  if (allowedSeconds === graceSeconds) return []
  return [
    finding(
      'grace-capped',
      `Of a grace of ${inWords(graceSeconds)} clients grant ${inWords(allowedSeconds)}: \`maxGraceSeconds\` in sealift.json is lower.`,
    ),
  ]
}

/** So many names stand in one sentence. */
const MOST_NAMED = 5

function lintOffers(catalogue: Catalogue, { config }: LintSubject): readonly Finding[] {
  const live = catalogue.artifacts.filter((entry) => !isEntryDenied(catalogue, entry))
  const offered = live.filter((entry) => !entry.yanked && entry.rollout > 0)
  const names = [...new Set(catalogue.artifacts.map(({ name }) => name))]
  const silent = names.filter((name) => !offered.some((entry) => entry.name === name))
  const partial = names.flatMap((name) => {
    const [newest] = offered.filter((entry) => entry.name === name).toSorted((a, b) => compareVersions(b.version, a.version))
    return newest === undefined || newest.rollout === 100 ? [] : [`${name} ${newest.version} (${newest.rollout} %)`]
  })
  const unshared = [...new Set(offered.filter(({ mesh }) => !mesh).map(({ name }) => name))]
  const isShared = config !== undefined && config.mesh.mode !== 'off'
  return [
    ...about(silent, (list) =>
      finding('nothing-offered', `No version of ${list} is offered to anybody: all are yanked, withdrawn or rolled out to 0 %.`),
    ),
    ...about(partial, (list) =>
      finding('rollout-partial', `Not everybody is offered the newest ${list}: raise \`--rollout\` when it has proved itself.`),
    ),
    ...about(isShared ? unshared : [], (list) =>
      finding('mesh-forbidden', `Peers may not pass on ${list}, so an outage of all servers stops it: publish without \`--no-mesh\`.`),
    ),
  ]
}

function about(names: readonly string[], say: (list: string) => Finding): readonly Finding[] {
  if (names.length === 0) return []
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : ''
  return [say(names.slice(0, MOST_NAMED).join(', ') + more)]
}

const UNITS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
] as const

/** In the largest unit that it fills, rounded down: `13 days`. */
function inWords(seconds: number): string {
  const [unit, length] = UNITS.find(([, unitSeconds]) => seconds >= unitSeconds) ?? UNITS[3]
  const count = Math.floor(seconds / length)
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}
