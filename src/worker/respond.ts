import { HANDLING, type Failure } from '../core/errors.ts'
import { answerArtifact } from '../core/respond/headers.ts'
import { parseRange } from '../core/respond/http-range.ts'
import type { VerifiedFile } from '../engine/standalone.ts'

/** A verified file as the answer to one request: whole, one range, or its headers alone. */
export function respondWithFile(file: VerifiedFile, request: Request): Response {
  const range =
    request.method === 'GET' ? parseRange(request.headers.get('range') ?? undefined, file.sizeBytes) : { kind: 'whole' as const }
  const { status, headers } = answerArtifact(file, range)
  if (request.method === 'HEAD' || range.kind === 'unsatisfiable') return new Response(null, { status, headers })
  // A native body: it survives the death of this worker and costs no memory, which no script-made stream does.
  const body = range.kind === 'part' ? file.blob.slice(range.range.start, range.range.end) : file.blob
  return new Response(body, { status, headers })
}

/** A refusal that a script can read and a person too. Never a network error: the browser would retry it past this worker. */
export function respondWithFailure(failure: Failure): Response {
  const { httpStatus, nextStep } = HANDLING[failure.code]
  const headers: Record<string, string> = {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'sealift-code': failure.code,
  }
  if (failure.code === 'still-fetching') headers['retry-after'] = String(failure.retryAfterSeconds)
  return new Response(JSON.stringify({ type: 'about:blank', title: failure.code, status: httpStatus, detail: nextStep }), {
    status: httpStatus,
    headers,
  })
}
