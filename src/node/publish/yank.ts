import { DeliveryError } from '../../core/errors.ts'
import type { CatalogueEntry } from '../../core/manifest/catalogue.ts'
import { compareVersions } from '../../core/manifest/version-order.ts'

/** A version of an artifact, for all platforms. */
export interface ListedVersion {
  readonly name: string
  readonly version: string
}

/** As many are named to somebody who named one that is not listed. */
const MOST_NAMED = 5

interface YankOptions {
  readonly yanked?: readonly ListedVersion[] | undefined
  readonly replace?: boolean | undefined
}

/**
 * What a catalogue lists, with these versions yanked: they are offered to nobody any more, and given to those who name them.
 * @throws {DeliveryError} `input-invalid` for a version that is not listed, with those that are; for any, where nothing of before is kept
 */
export function yankEntries(
  entries: readonly CatalogueEntry[] = [],
  { yanked = [], replace = false }: YankOptions,
): readonly CatalogueEntry[] {
  for (const one of yanked) {
    if (replace) throw refusal(one, 'cannot be yanked by a run that replaces the catalogue, and lists only its own files: yank it without')
    if (!entries.some((entry) => isOf(entry, one))) throw notListed(entries, one)
  }
  return entries.map((entry) => (yanked.some((one) => isOf(entry, one)) ? { ...entry, yanked: true } : entry))
}

/** True for the entries of a version, one for each platform. */
function isOf(entry: CatalogueEntry, { name, version }: ListedVersion): boolean {
  return entry.name === name && entry.version === version
}

function notListed(entries: readonly CatalogueEntry[], one: ListedVersion): DeliveryError {
  if (entries.length === 0) return refusal(one, 'the site lists nothing yet: only what was published before can be yanked')
  const versions = entries.filter((entry) => entry.name === one.name).map((entry) => entry.version)
  if (versions.length > 0) {
    const newestFirst = [...new Set(versions)].toSorted((a, b) => compareVersions(b, a))
    return refusal(one, `the site lists no such version of it: yank ${oneOf(newestFirst)}`)
  }
  const names = [...new Set(entries.map((entry) => entry.name))].toSorted()
  return refusal(one, `the site lists nothing of that name: yank a version of ${oneOf(names)}`)
}

function refusal({ name, version }: ListedVersion, detail: string): DeliveryError {
  return new DeliveryError({ code: 'input-invalid', path: `${name}@${version}`, detail })
}

function oneOf(listed: readonly string[]): string {
  const more = listed.length - MOST_NAMED
  return [...listed.slice(0, MOST_NAMED), ...(more > 0 ? [`one of ${more} more`] : [])].join(', ').replace(/, (?=[^,]*$)/, ' or ')
}
