import { readFile, writeFile } from 'node:fs/promises'
import { DeliveryError } from '../../core/errors.ts'
import { openJsonText } from '../../core/json/json.ts'
import { LIMITS } from '../../core/limits.ts'
import type { TrustConfig } from '../../core/manifest/site-config.ts'
import { readTrust, writeTrust } from '../../core/manifest/trust-field.ts'
import { errorCode } from '../durable-file.ts'
import { readInput } from '../input-file.ts'
import { readTrustedRoot } from './trusted-root-file.ts'

/**
 * A policy file: the `trust` section of a sealift.json, by itself.
 * @param trustedRootPath what stands in for a `trustedRoot` that the file leaves out
 * @throws {DeliveryError} `input-invalid` naming file and member, `policy-missing`, `config-invalid`
 */
export async function readPolicyFile(path: string, trustedRootPath: string | undefined): Promise<TrustConfig> {
  const refuse = (at: string, detail: string) => new DeliveryError({ code: 'input-invalid', path: `${path}: ${at}`, detail })
  const rules = { limitBytes: LIMITS.siteConfigBytes, refuse }
  const text = await readInput(path, (file) => readFile(file, 'utf8'))
  const root = trustedRootPath === undefined ? undefined : await readTrustedRoot(trustedRootPath)
  const whole = openJsonText(text, rules).foreignObject()
  // The root that is named beside the file is the one that is meant.
  const merged = root === undefined ? whole : { ...whole, trustedRoot: root }
  const trust = readTrust(openJsonText(JSON.stringify(merged), rules))
  const unknown = findUnknown(merged, writeTrust(trust), '')
  if (unknown !== undefined) throw refuse(unknown, 'is not known: what it asks for, nobody would look at')
  return trust
}

/** Browsers ignore unknown members, for what a later version may add. A person who writes a policy has misspelt one. */
function findUnknown(written: unknown, understood: unknown, path: string): string | undefined {
  if (typeof written !== 'object' || written === null || path === 'trustedRoot' || path.startsWith('refresh')) return undefined
  const known: ReadonlyMap<string, unknown> = new Map(Object.entries(Object(understood)))
  for (const [name, value] of Object.entries(written)) {
    const at = path === '' ? name : `${path}.${name}`
    if (!known.has(name)) return at
    const below = findUnknown(value, known.get(name), at)
    if (below !== undefined) return below
  }
  return undefined
}

/**
 * As `readPolicyFile` reads it, indented for the people who edit it. What they have edited is not overwritten.
 * @throws {DeliveryError} `input-invalid` when there is such a file, or it cannot be written
 */
export async function writePolicyFile(path: string, trust: TrustConfig): Promise<void> {
  try {
    await writeFile(path, `${JSON.stringify(writeTrust(trust), undefined, 2)}\n`, { flag: 'wx' })
  } catch (error) {
    const detail = errorCode(error) === 'EEXIST' ? 'is there already' : 'cannot be written'
    throw new DeliveryError({ code: 'input-invalid', path, detail }, { cause: error })
  }
}
