import { readFile, stat } from 'node:fs/promises'
import { DeliveryError } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import { openJson } from '../../core/json/json.ts'
import { splitJsonTexts } from '../../core/json/json-texts.ts'
import type { BundleRef } from '../../core/model/artifact.ts'
import { readInput } from '../input-file.ts'

/** A bundle with what it is: over the bytes themselves, or over a statement about them. */
export interface KindedBundle {
  readonly bytes: Uint8Array
  readonly kind: BundleRef['kind']
}

/**
 * Reads bundles that lie beside a file: one as JSON, or one on each line (`gh attestation download` writes such files), whatever the file is called.
 * @throws {DeliveryError} `input-invalid`, `format-invalid`, `format-oversized`
 */
export async function readGivenBundles(paths: readonly string[]): Promise<readonly KindedBundle[]> {
  const files = await Promise.all(paths.map(readBundleFile))
  return files.flat()
}

async function readBundleFile(path: string): Promise<readonly KindedBundle[]> {
  const limitBytes = LIMITS.bundleBytes * LIMITS.bundlesPerArtifact
  if ((await readInput(path, (file) => stat(file))).size > limitBytes)
    throw new DeliveryError({ code: 'format-oversized', document: 'bundle', limitBytes })
  const text = await readInput(path, (file) => readFile(file, 'utf8'))
  return splitJsonTexts(text).map((document) => toKinded(Buffer.from(document), path))
}

function toKinded(bytes: Uint8Array, path: string): KindedBundle {
  const refuse = (at: string, detail: string) => new DeliveryError({ code: 'input-invalid', path: `${path}: ${at}`, detail })
  const get = openJson(bytes, {
    document: 'bundle',
    limitBytes: LIMITS.bundleBytes,
    refuse,
  }).object(['dsseEnvelope', 'messageSignature'])
  if (!get('dsseEnvelope').isAbsent) return { bytes, kind: 'attestation' }
  if (!get('messageSignature').isAbsent) return { bytes, kind: 'signature' }
  throw refuse('$', 'is not a Sigstore bundle; cosign 3 writes one with `--bundle`')
}
