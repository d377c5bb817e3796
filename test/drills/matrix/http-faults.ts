import type { FaultName } from '../../faults/fault-mode.ts'

/** What is broken, and how soon verified bytes have to come from elsewhere. */
export interface HttpFault {
  /** As in the threat model: C01 to C22. */
  readonly id: string
  readonly name: string
  /** What the product does, for docs/outages.md. */
  readonly does: string
  /** From the fault to the first verified piece from elsewhere. */
  readonly limitMs: number
  readonly variants: readonly Variant[]
}

/** One way to bring the fault about. `dns` is the browser's: the name of the server has no address. */
export interface Variant {
  readonly fault: FaultName | 'dns'
  /** A small file shows a delay best; only a larger one has a middle to break off in. */
  readonly artifact: 'small' | 'middle'
  /** One of these stands in the record against the source. Empty: it was merely slower than the next, and nothing failed in the end. */
  readonly codes: readonly string[]
  /** The bytes are right after all: the source may deliver everything. */
  readonly mayDeliver?: true
  /** It asked not to be asked again. */
  readonly isToRest?: true
}

const UNREACHABLE = ['source-unreachable']
/** The others were done before it was given up. */
const SILENT: readonly string[] = []
/** A cut body: the browser says that the connection broke, or nothing at all. */
const SHORT = ['source-unreachable', 'source-length']

const small = (fault: Variant['fault'], codes: readonly string[]): Variant => ({ fault, artifact: 'small', codes })
const middle = (fault: Variant['fault'], codes: readonly string[]): Variant => ({ fault, artifact: 'middle', codes })

export const HTTP_FAULTS: readonly HttpFault[] = [
  {
    id: 'C01',
    name: 'nobody listens',
    does: 'goes on with the next source at once; asks this one again after a rest of half a second at most, longer after three failures',
    limitMs: 300,
    variants: [small('refused', UNREACHABLE)],
  },
  {
    id: 'C02',
    name: 'its name has no address',
    does: 'the same: to a page it looks no different',
    limitMs: 600,
    variants: [small('dns', UNREACHABLE)],
  },
  {
    id: 'C03',
    name: 'swallows connections',
    does: 'starts the next source beside it after 0.4 s without an answer, and gives the attempt up after 3 s',
    limitMs: 3300,
    variants: [small('black-hole', SILENT)],
  },
  {
    id: 'C04',
    name: 'accepts, and never answers',
    does: 'the same; whichever answers first delivers',
    limitMs: 600,
    variants: [small('hang', SILENT)],
  },
  {
    id: 'C05',
    name: 'headers, then silence',
    does: 'gives its pieces to others after 1 s without a byte, 0.4 s for files up to 1 MiB, and gives it up after 3 s',
    limitMs: 1300,
    variants: [small('headers-then-silence', SILENT)],
  },
  {
    id: 'C06',
    name: 'half of a body, then silence',
    does: 'the same; what was verified before is kept and not fetched again',
    limitMs: 1300,
    variants: [middle('stall-at-half', SILENT)],
  },
  {
    id: 'C07',
    name: 'server errors',
    does: 'goes on with the next source at once',
    limitMs: 100,
    variants: [small('status-500', ['source-status']), small('status-502', ['source-status'])],
  },
  {
    id: 'C08',
    name: '503 with Retry-After',
    does: 'the same, and does not ask this one again before the time it named, a minute at most',
    limitMs: 100,
    variants: [{ ...small('status-503-retry-after', ['source-status']), isToRest: true }],
  },
  {
    id: 'C09',
    name: '429 with Retry-After',
    does: 'the same',
    limitMs: 100,
    variants: [{ ...small('status-429-retry-after', ['source-status']), isToRest: true }],
  },
  {
    id: 'C10',
    name: '10 kB/s',
    does: 'calls a source slow after 1 s below 64 KiB/s, or below an eighth of the best, and gives its pieces to others; keeps it as the last resort',
    limitMs: 1500,
    variants: [small('slow', SILENT), middle('slow', SILENT)],
  },
  {
    id: 'C11',
    name: 'cut, its length known',
    does: 'keeps what was verified and fetches the rest from others; a source that delivered a whole piece first is asked again without a rest',
    limitMs: 200,
    variants: [middle('cut-with-length', SHORT)],
  },
  { id: 'C12', name: 'cut between chunks', does: 'the same', limitMs: 200, variants: [middle('cut-chunked', SHORT)] },
  {
    id: 'C13',
    name: 'cut, its length unknown',
    does: 'the same: it counts bytes, since the end of a stream is never taken for success',
    limitMs: 200,
    variants: [middle('cut-without-length', SHORT)],
  },
  { id: 'C14', name: 'a clean end too early', does: 'the same', limitMs: 200, variants: [middle('early-end-chunked', SHORT)] },
  {
    id: 'C15',
    name: 'one byte wrong',
    does: 'drops the piece, bans the source for the session, and fetches the piece elsewhere; the record keeps both digests',
    limitMs: 200,
    variants: [middle('corrupt-byte', ['digest-mismatch'])],
  },
  {
    id: 'C16',
    name: 'a page to sign in, with 200',
    does: 'refuses it by its type before the body is read, and goes on with the next source',
    limitMs: 100,
    variants: [small('html', ['source-protocol'])],
  },
  {
    id: 'C17',
    name: 'no CORS',
    does: 'as unreachable: a browser does not tell a page more',
    limitMs: 100,
    variants: [small('no-cors', UNREACHABLE)],
  },
  {
    id: 'C18',
    name: 'ranges ignored, wrong, refused',
    does: 'takes bytes only under the range it asked for; uses a whole file in place of a range only from its beginning',
    limitMs: 300,
    variants: [
      { ...middle('range-ignored', []), mayDeliver: true },
      middle('range-wrong', ['source-protocol']),
      middle('range-416', ['source-status']),
    ],
  },
  {
    id: 'C19',
    name: 'redirects without end',
    does: 'as unreachable; redirects are followed only to hosts that the site names',
    limitMs: 500,
    variants: [small('redirect-loop', ['source-protocol', ...UNREACHABLE])],
  },
  {
    id: 'C20',
    name: 'gzip: applied, only claimed, a bomb',
    does: 'takes what decodes to the right bytes; refuses the rest, and stops reading a bomb at the length it asked for',
    limitMs: 1000,
    variants: [{ ...middle('gzip-applied', []), mayDeliver: true }, middle('gzip-lied', SHORT), middle('gzip-bomb', SHORT)],
  },
  {
    id: 'C21',
    name: 'endless, too long, empty, 204',
    does: 'stops at the length it asked for, and takes no less',
    limitMs: 1000,
    variants: [
      middle('endless', ['source-length']),
      middle('oversize', ['source-length', ...UNREACHABLE]),
      middle('empty', ['source-length', 'source-protocol']),
      small('no-content', ['source-protocol']),
    ],
  },
  {
    id: 'C22',
    name: 'reset, no HTTP, a header without end',
    does: 'as unreachable',
    limitMs: 300,
    variants: [small('reset', UNREACHABLE), small('garbage', UNREACHABLE), small('huge-header', UNREACHABLE)],
  },
]
