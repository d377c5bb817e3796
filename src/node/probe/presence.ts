import { createHash } from 'node:crypto'
import { inParallel } from '../in-parallel.ts'
import type { Ask, Reply } from './ask.ts'
import { blobUrl, rowOf } from './blob-checks.ts'
import { describeStatus, type ProbedPlace } from './catalogues.ts'
import type { ListedBlob, Piece } from './listing.ts'
import type { ProbeRow } from './round.ts'

const LANES = 8
/** A place that gives nothing so many times in a row is not asked for the rest: each question may last as long as the deadline. */
const SILENCES = 3
/** Told by name; the rest is counted. */
const MOST_TOLD = 5

interface Place {
  readonly place: ProbedPlace
  readonly ask: Ask
  /** How long one check may take in all: one that answers, and slowly, must not keep the others waiting. */
  readonly checkMs: number
}

/** Row `blobs`: everything that is published is there, in the size that was signed. */
export async function checkPresence(blobs: readonly ListedBlob[], { place, ask, checkMs }: Place, signal: AbortSignal): Promise<ProbeRow> {
  const startedMs = performance.now()
  const faults: string[] = []
  let silences = 0
  let asked = 0
  const isEnough = (): boolean => silences >= SILENCES || performance.now() - startedMs >= checkMs
  await inParallel(blobs, LANES, async (blob) => {
    if (isEnough()) return
    const reply = await ask({ url: blobUrl(place, blob), method: 'HEAD', headers: { 'Accept-Encoding': 'identity' } }, signal)
    asked++
    silences = reply.kind === 'unanswered' ? silences + 1 : 0
    const fault = faultOf(reply, blob)
    if (fault !== undefined) faults.push(`${blob.name}: ${fault}`)
  })
  const complaints = [...told(faults), ...untold(blobs.length - asked)]
  return rowOf(place, 'blobs', { complaints, fine: `all ${blobs.length} are there`, ms: Math.round(performance.now() - startedMs) })
}

/** What a challenge came to. */
export interface Challenged {
  readonly row: ProbeRow
  readonly checked: number
  readonly rotten: number
}

/** Row `challenge`: the pieces that were drawn hash to what was signed. */
export async function challenge(
  { pieces, lost, total }: { readonly pieces: readonly Piece[]; readonly lost: readonly string[]; readonly total: number },
  { place, ask, checkMs }: Place,
  signal: AbortSignal,
): Promise<Challenged> {
  const startedMs = performance.now()
  const faults = lost.map((name) => `${name}: nobody has its piece list`)
  const rotten: string[] = []
  let checked = 0
  let asked = 0
  let silences = 0
  for (const piece of pieces) {
    if (silences >= SILENCES || performance.now() - startedMs >= checkMs) break
    const { kind, detail } = await tryPiece(piece, { place, ask }, signal)
    asked++
    silences = kind === 'silent' || kind === 'ignored' ? silences + 1 : 0
    if (kind === 'good' || kind === 'rotten') checked++
    if (kind === 'rotten') rotten.push(`${piece.name}: ${detail}`)
    else if (kind !== 'good') faults.push(`${piece.name}: ${detail}`)
  }
  const count = rotten.length === 0 ? [] : [`${rotten.length} of ${checked} pieces are rotten`]
  const row = rowOf(place, 'challenge', {
    complaints: [...count, ...told([...rotten, ...faults]), ...untold(pieces.length - asked)],
    fine: `${checked} of ${total} pieces are good`,
    ms: Math.round(performance.now() - startedMs),
  })
  return { row, checked, rotten: rotten.length }
}

interface Verdict {
  /** `ignored`: it sent all of the file where a part was asked for, and would do so for each piece. */
  readonly kind: 'good' | 'rotten' | 'refused' | 'ignored' | 'silent'
  readonly detail: string
}

async function tryPiece({ blob, range, sha256 }: Piece, { place, ask }: Omit<Place, 'checkMs'>, signal: AbortSignal): Promise<Verdict> {
  const sizeBytes = range.end - range.start
  const isWhole = sizeBytes === blob.ref.sizeBytes
  const headers: Record<string, string> = isWhole ? {} : { Range: `bytes=${range.start}-${range.end - 1}` }
  const reply = await ask({ url: blobUrl(place, blob), headers, limitBytes: sizeBytes }, signal)
  if (reply.kind === 'unanswered') return { kind: 'silent', detail: reply.detail }
  if (reply.status === 200 && !isWhole) return { kind: 'ignored', detail: 'ignores ranges' }
  if (reply.status !== (isWhole ? 200 : 206)) return { kind: 'refused', detail: describeStatus(reply.status, reply.headers) }
  if (reply.body?.length !== sizeBytes)
    return { kind: 'rotten', detail: `expected ${sizeBytes} bytes, got ${reply.body?.length ?? 'more'}` }
  // Native: 66 pieces of each place with the portable hasher would keep a small machine busy.
  const actual = createHash('sha256').update(reply.body).digest('hex')
  return actual === sha256 ? { kind: 'good', detail: '' } : { kind: 'rotten', detail: `expected ${sha256}, got ${actual}` }
}

function faultOf(reply: Reply, { ref }: ListedBlob): string | undefined {
  if (reply.kind === 'unanswered') return reply.detail
  if (reply.status !== 200) return describeStatus(reply.status, reply.headers)
  const length = reply.headers.get('content-length')
  return length === String(ref.sizeBytes) ? undefined : `is ${length ?? 'an unknown number of'} bytes long, not ${ref.sizeBytes}`
}

function untold(left: number): readonly string[] {
  return left === 0 ? [] : [`${left} were not asked for any more`]
}

function told(faults: readonly string[]): readonly string[] {
  return [...faults.slice(0, MOST_TOLD), ...(faults.length > MOST_TOLD ? [`and ${faults.length - MOST_TOLD} more`] : [])]
}
