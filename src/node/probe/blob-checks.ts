import { formatContentRange } from '../../core/respond/http-range.ts'
import { blobPath } from '../site/site-reader.ts'
import type { Ask, Reply } from './ask.ts'
import { describeStatus, type CatalogueLook, type ProbedPlace } from './catalogues.ts'
import { judgeBlobHeaders, judgeCors, type Complaints } from './header-words.ts'
import type { ListedBlob } from './listing.ts'
import type { ProbeRow } from './round.ts'

/** How a place is asked, and by whose scripts its answers have to be readable. */
export interface BlobQuestion {
  readonly ask: Ask
  readonly look: CatalogueLook
  /** Undefined: nobody asked. */
  readonly portal: string | undefined
  readonly headers: Readonly<Record<string, string>>
}

/** Bytes that are asked for to see whether ranges work. */
const RANGE_BYTES = 1000

export function rowOf(place: ProbedPlace, check: ProbeRow['check'], found: { complaints: Complaints; fine: string; ms: number }): ProbeRow {
  const { complaints, fine, ms } = found
  return { origin: place.id, check, ok: complaints.length === 0, detail: complaints.length === 0 ? fine : complaints.join('; '), ms }
}

export function blobUrl(place: ProbedPlace, { ref }: ListedBlob): string {
  return new URL(blobPath(ref.sha256), place.url).href
}

/** Rows `blob-headers`, `cors` and `ranges`, by two requests for the same blob. */
export async function checkAnswers(sample: ListedBlob, question: BlobQuestion, signal: AbortSignal): Promise<readonly ProbeRow[]> {
  const { ask, headers, look, portal } = question
  const { place } = look
  const url = blobUrl(place, sample)
  const whole = await ask({ url, headers }, signal)
  const { sizeBytes } = sample.ref
  const start = Math.floor(sizeBytes / 2)
  const range = { start, end: Math.min(sizeBytes, start + RANGE_BYTES) }
  const part = await ask({ url, headers: { ...headers, Range: `bytes=${range.start}-${range.end - 1}` }, limitBytes: RANGE_BYTES }, signal)
  const complaints = complaintsOf(whole, [200], (answer) => judgeBlobHeaders(answer.headers))
  return [
    rowOf(place, 'blob-headers', { complaints, fine: 'kept for a year, not encoded', ms: whole.ms }),
    ...(portal === undefined ? [] : [corsRow(question, { url, portal, whole })]),
    rowOf(place, 'ranges', {
      complaints: complaintsOf(part, [200, 206], (answer) =>
        judgeRange(answer, formatContentRange(range, sizeBytes), range.end - range.start),
      ),
      fine: 'answers 206 with what was asked for',
      ms: part.ms,
    }),
  ]
}

function corsRow({ look }: BlobQuestion, { url, portal, whole }: { url: string; portal: string; whole: Reply }): ProbeRow {
  const judged = Object.entries({ 'of a blob': whole, 'of the catalogue': look.reply }).map(([of, reply]) =>
    reply.kind === 'answered' ? judgeCors(reply.headers, { url, portal }).map((complaint) => `${complaint} (${of})`) : [],
  )
  return rowOf(look.place, 'cors', { complaints: judged.flat(), fine: `scripts of ${portal} may read it`, ms: whole.ms })
}

type Answered = Extract<Reply, { kind: 'answered' }>

/** What a reply lacks to be one of these successes, or what `judge` says of it then. */
function complaintsOf(reply: Reply, statuses: readonly number[], judge: (answer: Answered) => Complaints): Complaints {
  if (reply.kind === 'unanswered') return [reply.detail]
  return statuses.includes(reply.status) ? judge(reply) : [describeStatus(reply.status, reply.headers)]
}

function judgeRange({ status, headers, body }: Answered, expected: string, sizeBytes: number): Complaints {
  if (status === 200) return ['ignores ranges: answers 200 with all of the file']
  const actual = headers.get('content-range')
  if (actual !== expected) return [`Content-Range is ${actual?.slice(0, 60) ?? 'missing'}, not ${expected}`]
  return body?.length === sizeBytes ? [] : [`sends ${body?.length ?? 'more'} bytes for a range of ${sizeBytes}`]
}
