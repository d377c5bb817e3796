import { DeliveryError } from '../../core/errors.ts'
import type { Catalogue, CatalogueEntry } from '../../core/manifest/catalogue.ts'
import { isEntryDenied } from '../../core/manifest/choose.ts'

/** Which artifacts are exported. Undefined: whichever. */
export interface ExportWish {
  readonly name?: string | undefined
  /** An exact version; it is exported even when yanked. */
  readonly version?: string | undefined
  readonly platform?: string | undefined
}

/** An artifact, and what its files are called before the dot. */
export interface NamedEntry {
  readonly entry: CatalogueEntry
  readonly stem: string
}

export interface ExportChoice {
  readonly chosen: readonly NamedEntry[]
  readonly yanked: readonly NamedEntry[]
  readonly denied: readonly NamedEntry[]
}

/** Room for what `temporaryName` puts around it: most file systems take 255 bytes. */
const STEM_CHARACTERS = 200

/**
 * What of a catalogue may be handed to tools that ask nobody: nothing that is denied, and nothing that is yanked unless it is named.
 * Roll-out says whom a page offers a version; whoever opens an exported file has named it.
 * @throws {DeliveryError} `artifact-unknown`
 */
export function chooseExports(catalogue: Catalogue, wish: ExportWish): ExportChoice {
  const wished = catalogue.artifacts.filter((entry) => isWished(entry, wish)).map((entry) => ({ entry, stem: stemOf(entry) }))
  if (wished.length === 0)
    throw new DeliveryError({ code: 'artifact-unknown', name: wish.name ?? wish.platform ?? 'any', version: wish.version })
  const denied = wished.filter(({ entry }) => isEntryDenied(catalogue, entry))
  const allowed = wished.filter((one) => !denied.includes(one))
  const yanked = allowed.filter(({ entry }) => entry.yanked && wish.version === undefined)
  const chosen = allowed.filter((one) => !yanked.includes(one))
  return { chosen, yanked, denied }
}

/**
 * Whether there is something to export. Asked once what is denied is gone, of which an earlier export may have written files.
 * @throws {DeliveryError} `artifact-denied` when all are; `input-invalid` when the rest is yanked, or two would get files of one name
 */
export function requireExports({ chosen, yanked, denied: [denied] }: ExportChoice): void {
  if (chosen.length === 0 && yanked.length === 0 && denied !== undefined)
    throw new DeliveryError({ code: 'artifact-denied', sha256: denied.entry.artifact.sha256 })
  if (chosen.length === 0)
    throw new DeliveryError({ code: 'input-invalid', path: '--release', detail: 'is needed: all that is left to export is yanked' })
  requireNames(chosen)
}

function isWished(entry: CatalogueEntry, { name, version, platform }: ExportWish): boolean {
  return (
    (name === undefined || entry.name === name) &&
    (version === undefined || entry.version === version) &&
    (platform === undefined || entry.platform === platform)
  )
}

/** Names, versions and platforms are made of characters that any file name may have, but for the slash. */
function stemOf({ name, version, platform }: CatalogueEntry): string {
  return [name, version, platform?.replaceAll('/', '-')].filter((word) => word !== undefined).join('-')
}

/** Two artifacts may run into one name: `a-1` at `2` and `a` at `1-2`. Some file systems tell no capitals apart. */
function requireNames(chosen: readonly NamedEntry[]): void {
  const taken = new Map<string, CatalogueEntry>()
  for (const { entry, stem } of chosen) {
    if (stem.length > STEM_CHARACTERS)
      throw new DeliveryError({
        code: 'input-invalid',
        path: stem,
        detail: `is longer than ${STEM_CHARACTERS} characters, too long for a file`,
      })
    const other = taken.get(stem.toLowerCase())
    if (other !== undefined) throw new DeliveryError({ code: 'input-invalid', path: stem, detail: clash(entry, other) })
    taken.set(stem.toLowerCase(), entry)
  }
}

function clash(...entries: readonly CatalogueEntry[]): string {
  const [one, other] = entries.map(({ name, version, platform }) => `${name} ${version}${platform === undefined ? '' : ` ${platform}`}`)
  return `would be the files of both ${other} and ${one}: export them into folders of their own, with --name, --release or --platform`
}
