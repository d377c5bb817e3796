/** What is wrong with the headers of an answer, in words; empty when nothing is. */
export type Complaints = readonly string[]

const YEAR_SECONDS = 31_536_000
/** A catalogue in caches for longer than this makes a withdrawal late. */
const CATALOGUE_SECONDS = 300
/** What a page has to read of an answer from another origin. */
const EXPOSED = ['Accept-Ranges', 'Content-Range', 'Content-Length', 'ETag'] as const

export function judgeBlobHeaders(headers: Headers): Complaints {
  const directives = directivesOf(headers)
  const isKept = directives.has('public') && directives.has('immutable') && Number(directives.get('max-age')) >= YEAR_SECONDS
  const isForbidden = ['private', 'no-store', 'no-cache'].some((name) => directives.has(name))
  const encoding = headers.get('content-encoding')
  return [
    ...(isKept && !isForbidden
      ? []
      : [`Cache-Control is ${shown(headers, 'cache-control')}, not public, max-age=${YEAR_SECONDS}, immutable`]),
    ...(encoding === null || encoding === 'identity'
      ? []
      : [`Content-Encoding is ${encoding.slice(0, 40)}: ranges count other bytes then`]),
    ...judgeType(headers),
  ]
}

export function judgeCatalogueHeaders(headers: Headers): Complaints {
  const directives = directivesOf(headers)
  const isShort = directives.has('no-cache') || directives.has('no-store') || Number(directives.get('max-age') ?? NaN) <= CATALOGUE_SECONDS
  const isWrong = !isShort || directives.has('immutable')
  const said = shown(headers, 'cache-control')
  return [...(isWrong ? [`Cache-Control is ${said}, not at most max-age=${CATALOGUE_SECONDS}`] : []), ...judgeType(headers)]
}

/** Whether scripts of `portal` may read an answer of `url`. */
export function judgeCors(headers: Headers, { url, portal }: { readonly url: string; readonly portal: string }): Complaints {
  if (new URL(url).origin === portal) return []
  const allowed = headers.get('access-control-allow-origin')
  if (allowed !== '*' && allowed !== portal)
    return [`Access-Control-Allow-Origin is ${shown(headers, 'access-control-allow-origin')}, not ${portal}`]
  const exposed = new Set(wordsOf(headers.get('access-control-expose-headers')))
  const hidden = exposed.has('*') ? [] : EXPOSED.filter((name) => !exposed.has(name.toLowerCase()))
  return hidden.length === 0 ? [] : [`Access-Control-Expose-Headers lacks ${hidden.join(', ')}`]
}

/** A captive portal and an error page answer 200 with a page. */
function judgeType(headers: Headers): Complaints {
  const type = (headers.get('content-type') ?? '').toLowerCase()
  return type.startsWith('text/html') || type.startsWith('multipart/') ? [`Content-Type is ${type.slice(0, 60)}`] : []
}

function shown(headers: Headers, name: string): string {
  return headers.get(name)?.slice(0, 100) ?? 'missing'
}

function directivesOf(headers: Headers): ReadonlyMap<string, string> {
  const pairs = wordsOf(headers.get('cache-control')).map((word): [string, string] => {
    const [name = '', value = ''] = word.split('=', 2)
    return [name, value.replaceAll('"', '')]
  })
  return new Map(pairs)
}

function wordsOf(header: string | null): readonly string[] {
  return (header ?? '').split(',').map((word) => word.trim().toLowerCase())
}
