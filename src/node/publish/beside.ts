import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Sha256 } from '../../core/model/ids.ts'

/** What lies beside a file to sign it: `FILE.sigstore.json`, or `FILE.sigstore.jsonl` with one bundle on each line. */
export const BESIDE = /\.sigstore\.jsonl?$/
/** As `gh attestation download` names its files, `-` where a system allows no `:`. */
export const DOWNLOADED = /^sha256[:-][0-9a-f]{64}\.jsonl$/

/** The bundle files that lie beside a file, under its own name. */
export function bundlesBeside(path: string): readonly string[] {
  return [`${path}.sigstore.json`, `${path}.sigstore.jsonl`].filter((bundle) => existsSync(bundle))
}

/** The bundle files that lie beside a file, under its digest, as they were downloaded. */
export function bundlesOfDigest(path: string, sha256: Sha256): readonly string[] {
  return [':', '-'].map((mark) => join(dirname(path), `sha256${mark}${sha256}.jsonl`)).filter((bundle) => existsSync(bundle))
}
