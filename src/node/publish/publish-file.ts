import { DeliveryError } from '../../core/errors.ts'
import { isFilename } from '../../core/model/filename.ts'
import { isArtifactName, type ArtifactName } from '../../core/model/ids.ts'
import { isChannel, isMediaType, isPlatform, isVersion } from '../../core/model/names.ts'
import type { Priority } from '../../core/model/artifact.ts'
import { factsOfFilename } from './filename-facts.ts'

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

/** Later settings win over earlier ones, and all win over the file's name. @throws {DeliveryError} `input-invalid` */
export function describeFile(found: FoundFile, ...settings: readonly FileSettings[]): PublishFile {
  const facts = factsOfFilename(found.filename)
  const said = settings.reduce((all, next) => ({ ...all, ...withoutUndefined(next) }), {
    ...facts,
    ...withoutUndefined(facts),
  })
  const refuse = (detail: string) => new DeliveryError({ code: 'input-invalid', path: found.path, detail })
  const { name, version, platform, channel, mediaType } = said
  if (!isFilename(found.filename)) throw refuse('its name is not a plain file name on every system')
  if (!isArtifactName(name)) throw refuse('its name does not say what it is; set `name` in sealift.publish.json')
  if (version === undefined) throw refuse('its name holds no version; set `version` in sealift.publish.json, or --release')
  if (!isVersion(version)) throw refuse(`expected a version of letters, digits and . _ + ~ -, got ${JSON.stringify(version)}`)
  if (platform !== undefined && !isPlatform(platform))
    throw refuse(`expected a platform such as linux/amd64, got ${JSON.stringify(platform)}`)
  if (channel !== undefined && !isChannel(channel)) throw refuse(`expected a channel such as stable, got ${JSON.stringify(channel)}`)
  if (!isMediaType(mediaType)) throw refuse(`expected a media type such as application/gzip, got ${JSON.stringify(mediaType)}`)
  return {
    ...found,
    name,
    version,
    platform,
    channel,
    mediaType,
    priority: said.priority ?? 'normal',
    aliases: said.aliases ?? [],
    mesh: said.mesh ?? true,
    rollout: said.rollout ?? 100,
  }
}

function withoutUndefined(settings: FileSettings): FileSettings {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
}
