import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DeliveryError } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import { openJsonText } from '../../core/json/json.ts'
import type { JsonField } from '../../core/json/json-field.ts'
import { errorCode } from '../durable-file.ts'
import type { FileSettings } from './publish-file.ts'

export const SETTINGS_FILE = 'sealift.publish.json'

/** `sealift.publish.json`: what the file names of a folder do not say. */
export interface PublishSettings {
  readonly defaults: FileSettings
  /** By path within the folder, with `/`. */
  readonly files: ReadonlyMap<string, FileSettings>
}

const SETTINGS = ['name', 'version', 'platform', 'channel', 'mediaType', 'priority', 'aliases', 'mesh', 'rollout'] as const
const SETTINGS_BYTES = 1 << 20

/** Empty when the folder has none. @throws {DeliveryError} `input-invalid`, also for a member that means nothing */
export async function readPublishSettings(dir: string): Promise<PublishSettings> {
  const path = join(dir, SETTINGS_FILE)
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return { defaults: {}, files: new Map() }
    throw new DeliveryError({ code: 'input-invalid', path, detail: 'cannot be read' }, { cause: error })
  }
  return parsePublishSettings(bytes, path)
}

/** @param path named in errors */
export function parsePublishSettings(bytes: Uint8Array, path: string): PublishSettings {
  const refuse = (at: string, detail: string) => new DeliveryError({ code: 'input-invalid', path: `${path}: ${at}`, detail })
  const root = openJsonText(decodeText(bytes, path), { limitBytes: SETTINGS_BYTES, refuse })
  requireMembers(root, ['$schema', 'schema', 'defaults', 'files'])
  const get = root.object(['schema', 'defaults', 'files'])
  get('schema').optional((field) => field.schema(1))
  const files = get('files').optional((field) => {
    const names = Object.keys(field.foreignObject())
    const member = field.object(names)
    return names.map((name) => [name, readSettings(member(name))] as const)
  })
  return { defaults: get('defaults').optional(readSettings) ?? {}, files: new Map(files) }
}

function decodeText(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (error) {
    throw new DeliveryError({ code: 'input-invalid', path: `${path}: $`, detail: 'expected UTF-8' }, { cause: error })
  }
}

function readSettings(field: JsonField): FileSettings {
  requireMembers(field, SETTINGS)
  const get = field.object(SETTINGS)
  return {
    name: get('name').optional((item) => item.text()),
    version: get('version').optional((item) => item.text()),
    platform: get('platform').optional((item) => item.text()),
    channel: get('channel').optional((item) => item.text()),
    mediaType: get('mediaType').optional((item) => item.text()),
    priority: get('priority').optional((item) => item.oneOf(['critical', 'normal'])),
    aliases: get('aliases').optional((list) => list.list(LIMITS.aliasesPerArtifact).map((item) => item.text())),
    mesh: get('mesh').optional((item) => item.boolean()),
    rollout: get('rollout').optional((item) => item.integer(0, 100)),
  }
}

/** A person wrote this file: a misspelt member would otherwise be left out in silence. */
function requireMembers(field: JsonField, known: readonly string[]): void {
  const stranger = Object.keys(field.foreignObject()).find((name) => !known.includes(name))
  if (stranger !== undefined) throw field.refuse(`has ${JSON.stringify(stranger)}, expected ${known.join(', ')}`)
}
