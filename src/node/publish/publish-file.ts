import { DeliveryError } from '../../core/errors.ts'
import { isFilename } from '../../core/model/filename.ts'
import { isArtifactName, type ArtifactName } from '../../core/model/ids.ts'
import { isChannel, isMediaType, isPlatform, isVersion } from '../../core/model/names.ts'
import type { Priority } from '../../core/model/artifact.ts'
import { factsOfFilename, type FilenameFacts } from './filename-facts.ts'

/** What a publisher may say of a file. What is not said comes from the file's name, or is a default. */
export interface FileSettings {
  readonly name?: string | undefined
  readonly version?: string | undefined
  /** `os/arch`. */
  readonly platform?: string | undefined
  readonly channel?: string | undefined
  readonly mediaType?: string | undefined
  /** Default `normal`. */
  readonly priority?: Priority | undefined
  /** https URLs that go on naming this artifact. */
  readonly aliases?: readonly string[] | undefined
  /** Whether peers may pass it on. Default true. */
  readonly mesh?: boolean | undefined
  /** Percentage of clients, 0 to 100. Default 100. */
  readonly rollout?: number | undefined
}

/** One file, with everything settled that its catalogue entry and manifest say of it. */
export interface PublishFile {
  /** Where it lies. */
  readonly path: string
  readonly filename: string
  readonly name: ArtifactName
  readonly version: string
  readonly platform: string | undefined
  readonly channel: string | undefined
  readonly mediaType: string
  readonly priority: Priority
  readonly aliases: readonly string[]
  readonly mesh: boolean
  readonly rollout: number
  /** Sigstore bundles that lie beside it. */
  readonly bundlePaths: readonly string[]
}

/** A file that was found, not yet described. */
export interface FoundFile {
  readonly path: string
  readonly filename: string
  readonly bundlePaths: readonly string[]
}

interface Rule {
  readonly field: 'version' | 'platform' | 'channel' | 'mediaType'
  readonly isValid: (text: unknown) => boolean
  readonly expected: string
}

const RULES: readonly Rule[] = [
  { field: 'version', isValid: isVersion, expected: 'a version of letters, digits and . _ + ~ -' },
  { field: 'platform', isValid: isPlatform, expected: 'a platform such as linux/amd64' },
  { field: 'channel', isValid: isChannel, expected: 'a channel such as stable' },
  { field: 'mediaType', isValid: isMediaType, expected: 'a media type such as application/gzip' },
]
const DEFAULTS = { platform: undefined, channel: undefined, priority: 'normal', aliases: [], mesh: true, rollout: 100 } as const

type Said = Omit<PublishFile, keyof FoundFile | 'name' | 'version'> & Pick<FilenameFacts, 'name' | 'version'>

/** Later settings win over earlier ones, and all win over the file's name. @throws {DeliveryError} `input-invalid` */
export function describeFile(found: FoundFile, ...settings: readonly FileSettings[]): PublishFile {
  const facts = factsOfFilename(found.filename)
  const said = settings.reduce<Said>((all, next) => ({ ...all, ...withoutUndefined(next) }), { ...DEFAULTS, ...facts })
  const refuse = (detail: string) => new DeliveryError({ code: 'input-invalid', path: found.path, detail })
  if (!isFilename(found.filename)) throw refuse('its name is not a plain file name on every system')
  const { name, version } = said
  if (!isArtifactName(name)) throw refuse('its name does not say what it is; set `name` in sealift.publish.json')
  if (version === undefined) throw refuse('its name holds no version; set `version` in sealift.publish.json, or --release')
  for (const { field, isValid, expected } of RULES) {
    const value = said[field]
    if (value !== undefined && !isValid(value)) throw refuse(`expected ${expected}, got ${JSON.stringify(value)}`)
  }
  return { ...found, ...said, name, version }
}

/** An option that was not given must not hide one that was. */
function withoutUndefined(settings: FileSettings): Partial<Said> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
}
