import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { FaultMode } from '../../test/faults/fault-mode.ts'
import { startChild } from './child.ts'
import { createContent } from './content.ts'
import type { FarmOptions, SourceCount } from './fault-process.ts'
import type { Publication } from './publication.ts'

/** How a source fails while it is measured. */
export type Fault = 'none' | 'dns-fails' | 'wrong-bytes' | Exclude<FaultMode, 'none'>

/** Sources that are shaped to one rate and fail when told to. Good ones, and a few whose disk is rotten. */
export interface FaultFarm {
  /** Where the sources of a row are, in its order: known before they fail. */
  urls(faults: readonly Fault[]): readonly string[]
  /** All as they should be. */
  calm(): Promise<void>
  arm(faults: readonly Fault[]): Promise<void>
  /** Of artifacts, since `arm`, in the order of its faults. */
  counts(faults: readonly Fault[]): Promise<readonly SourceCount[]>
  close(): Promise<void>
}

const SOURCES = 5
const ROT_STRIDE = 64 * 1024

export async function startFaultFarm(publication: Publication, bytesPerSecond: number): Promise<FaultFarm> {
  const dir = await mkdtemp(join(tmpdir(), 'sealift-bench-'))
  const [good, rotten] = [join(dir, 'good'), join(dir, 'rotten')]
  await writeSite(publication, good)
  await writeSite(publication, rotten, rot)
  const child = await startChild(new URL('./fault-process.js', import.meta.url))
  // aria2 counts its connections by address, whatever the port: sources that share one would get no more than one of them between them.
  const sites = [good, rotten].flatMap((siteDir) => Array.from({ length: SOURCES }, (_, at) => ({ siteDir, host: `127.0.0.${at + 2}` })))
  const artifacts = publication.artifacts.map(({ sha256 }) => sha256)
  const all = await child.call<readonly string[]>('start', { sites, artifacts, bytesPerSecond } satisfies FarmOptions)
  const place = (fault: Fault, at: number): number => (fault === 'wrong-bytes' ? SOURCES + at : at)
  return {
    urls: (faults) =>
      faults.map((fault, at) => {
        const url = all[place(fault, at)] ?? ''
        // A name that nobody may ever have (RFC 2606).
        return fault === 'dns-fails' ? url.replace(/127\.0\.0\.\d+/, 'cdn.invalid') : url
      }),
    calm: () => child.call('arm', []),
    async arm(faults) {
      const modes: FaultMode[] = sites.map(() => 'none')
      for (const [at, fault] of faults.entries())
        modes[place(fault, at)] = fault === 'wrong-bytes' || fault === 'dns-fails' ? 'none' : fault
      await child.call('arm', modes)
    },
    async counts(faults) {
      const counts = await child.call<readonly SourceCount[]>('counts')
      return faults.map((fault, at) => counts[place(fault, at)] ?? { sentBytes: 0, requests: [] })
    },
    async close() {
      await child.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** In every stretch of the file: whatever part is asked for, some of it is wrong. */
function rot(bytes: Buffer): Buffer {
  for (let at = 0; at < bytes.length; at += ROT_STRIDE) bytes[at] = (bytes[at] ?? 0) ^ 0xff
  return bytes
}

async function writeSite(publication: Publication, dir: string, alter: (bytes: Buffer) => Buffer = (bytes) => bytes): Promise<void> {
  for (const [path, bytes] of publication.files) {
    const file = join(dir, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, bytes)
  }
  for (const artifact of publication.artifacts) {
    const read = createContent(artifact)
    const file = await open(join(dir, 'by-hash/sha256', artifact.sha256), 'w')
    for (let start = 0; start < artifact.sizeBytes; start += ROT_STRIDE)
      await file.write(alter(read(start, Math.min(start + ROT_STRIDE, artifact.sizeBytes))))
    await file.close()
  }
}
