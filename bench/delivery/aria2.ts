import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { PublishedArtifact } from './publication.ts'

/** As it comes, without anybody's configuration. The files are not laid out beforehand, which would only cost it time. */
const DEFAULT_FLAGS = ['-q', '--no-conf', '--file-allocation=none']
/** As somebody would set it who knows that mirrors fall silent. */
const TUNED_FLAGS =
  '--connect-timeout=2 --timeout=2 --lowest-speed-limit=128K --max-tries=3 --retry-wait=1 -k 1M --piece-length=1M -s 4 -x 1 --max-file-not-found=2'.split(
    ' ',
  )

export const ARIA2_FLAGS = { default: DEFAULT_FLAGS, tuned: [...DEFAULT_FLAGS, ...TUNED_FLAGS] } as const

export interface Aria2Run {
  /** From the start of the process to its end. */
  readonly tookMs: number
  /** It ended by itself and left the right file. */
  readonly isRight: boolean
  readonly isStopped: boolean
}

export function hasAria2(): boolean {
  return spawnSync('aria2c', ['--version'], { stdio: 'ignore' }).status === 0
}

/** One download from all of these sources with every piece hash known to it; stopped when it takes too long. */
export async function runAria2(
  job: { readonly artifact: PublishedArtifact; readonly urls: readonly string[]; readonly limitMs: number },
  flags: readonly string[],
): Promise<Aria2Run> {
  const dir = await mkdtemp(join(tmpdir(), 'sealift-aria2-'))
  try {
    const link = join(dir, 'job.meta4')
    await writeFile(link, metalink(job.artifact, job.urls))
    const startedMs = performance.now()
    const child = spawn('aria2c', [...flags, '-d', dir, '-M', link], { stdio: 'ignore' })
    const timer = setTimeout(() => child.kill('SIGKILL'), job.limitMs)
    const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
      child.on('error', reject)
      child.on('exit', (status, by) => resolve([status, by]))
    })
    const tookMs = performance.now() - startedMs
    clearTimeout(timer)
    const isRight = code === 0 && (await hashOf(join(dir, 'file.bin'))) === job.artifact.sha256
    return { tookMs, isRight, isStopped: signal === 'SIGKILL' }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** Metalink 4 (RFC 5854): the sources in their order, which is ours too, and a hash for each piece. Equal ones it would draw lots for. */
function metalink({ sha256, sizeBytes, pieceLengthBytes, hashes }: PublishedArtifact, urls: readonly string[]): string {
  const pieces = Array.from(
    { length: hashes.length / 32 },
    (_, at) => `<hash>${Buffer.from(hashes.subarray(at * 32, at * 32 + 32)).toString('hex')}</hash>`,
  )
  const places = urls.map((url, at) => `<url priority="${at + 1}">${url}by-hash/sha256/${sha256}</url>`)
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="file.bin">',
    `<size>${sizeBytes}</size><hash type="sha-256">${sha256}</hash>`,
    `<pieces length="${pieceLengthBytes}" type="sha-256">${pieces.join('')}</pieces>`,
    ...places,
    '</file></metalink>',
    '',
  ].join('\n')
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}
