import { existsSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { makeVectors, SHARED_ARTIFACT, type Vector } from './vectors.ts'

const USAGE = 'usage: npm run vectors -- --out DIR'

/** `npm run vectors`: case directories for any implementation. @returns exit status */
export async function runVectors(args: readonly string[], print: (line: string) => void): Promise<number> {
  const out = parseOut(args)
  if (out === undefined) {
    print(USAGE)
    return 2
  }
  if (existsSync(out) && (await readdir(out)).length > 0) {
    print(`${out} is not empty: cases of two runs would mix.`)
    return 2
  }
  const vectors = await makeVectors()
  await writeVectors(out, vectors)
  const refused = vectors.filter(({ name }) => name.endsWith('_fail')).length
  print(`${vectors.length} cases in ${out}: ${vectors.length - refused} to accept, ${refused} to refuse`)
  return 0
}

function parseOut(args: readonly string[]): string | undefined {
  try {
    const { out } = parseArgs({ args: [...args], options: { out: { type: 'string' } } }).values
    return out === undefined ? undefined : resolve(out)
  } catch {
    return undefined // the usage says what is right
  }
}

/** Each case in a directory of its own; what most of them sign lies beside them as `a.txt`. */
export async function writeVectors(folder: string, vectors: readonly Vector[]): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'a.txt'), SHARED_ARTIFACT)
  for (const vector of vectors) {
    const at = join(folder, vector.name)
    await mkdir(at)
    for (const [name, content] of Object.entries(filesOf(vector))) await writeFile(join(at, name), content)
  }
}

function filesOf({ shows, bundle, artifact, trustedRoot, signer }: Vector): Readonly<Record<string, string | Buffer>> {
  return {
    README: `${shows}\n`,
    'bundle.sigstore.json': typeof bundle === 'string' ? bundle : JSON.stringify(bundle),
    'trusted_root.json': JSON.stringify(trustedRoot),
    ...('publicKeyPem' in signer ? { 'key.pub': signer.publicKeyPem } : signer),
    ...(artifact !== undefined && { artifact }),
  }
}
