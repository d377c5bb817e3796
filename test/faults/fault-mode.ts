/** How a server fails, by name. Each is a way that a real server, cache, proxy or captive portal has been seen to fail. */
export const FAULTS = [
  /** Nobody listens. */
  'refused',
  /** The machine drops what arrives: no connection comes about, and nothing says so. */
  'black-hole',
  /** Accepts, and never answers. */
  'hang',
  /** Sends its headers, and nothing after them. */
  'headers-then-silence',
  /** Sends half of each body, and no more. */
  'stall-at-half',
  'status-500',
  'status-502',
  'status-503-retry-after',
  'status-429-retry-after',
  /** 404, as a mirror that lags behind. */
  'missing',
  /** 10 kB/s. */
  'slow',
  /** Half of the body, then the connection ends. The head told the length, */
  'cut-with-length',
  /** or had it come in chunks, whose last one is missing, */
  'cut-chunked',
  /** or told nothing: no client can see that something is missing. */
  'cut-without-length',
  /** Half of the body in chunks, ended as it should be. */
  'early-end-chunked',
  'corrupt-byte',
  /** 200 with a page to sign in. */
  'html',
  'no-cors',
  /** 200 with the whole file to whatever was asked. */
  'range-ignored',
  /** The bytes after those that were asked for, and says so. */
  'range-wrong',
  'range-416',
  'redirect-loop',
  /** A proxy that compresses on the fly. */
  'gzip-applied',
  /** Plain bytes called gzip. */
  'gzip-lied',
  'gzip-bomb',
  'endless',
  /** More bytes than were asked for. */
  'oversize',
  'empty',
  /** 204. */
  'no-content',
  /** RST in place of an answer. */
  'reset',
  /** What is not HTTP. */
  'garbage',
  /** A header of a mebibyte. */
  'huge-header',
] as const

export type FaultName = (typeof FAULTS)[number]

/** One name, or a failure that waits for so many bytes. */
export type FaultMode =
  | 'none'
  | FaultName
  /** Then nobody listens any more; open connections are reset. Counted from when the mode was set, over all requests. */
  | { readonly dieAfterBytes: number }
  /** Then no byte comes any more: open bodies stop, new requests get no answer. Counted likewise. */
  | { readonly stallAfterBytes: number }
  /** Each answer is cut off after so many bytes of its body. */
  | { readonly cutEveryBytes: number }

export function isFaultName(value: string): value is FaultName {
  const known: readonly string[] = FAULTS
  return known.includes(value)
}
