/**
 * What a page could do itself, as a worker's script. It reads one source or several to the end and keeps nothing: drained, or with the
 * hashing that a verified download cannot do without.
 */
export const RIVALS_WORKER = `
importScripts('/wasm-hasher.js')
const { createWasmStream } = wasmHasher

const MIB = 1024 * 1024

const drain = async (url, range, onChunk) => {
  const response = await fetch(url, { cache: 'no-store', credentials: 'omit', headers: range === undefined ? {} : { Range: 'bytes=' + range } })
  const reader = response.body.getReader()
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return bytes
    bytes += value.length
    await onChunk?.(value)
  }
}

/** Pieces by WebCrypto while the next one arrives, as anybody would do it. */
const hashing = async (withWhole) => {
  const whole = withWhole ? await createWasmStream() : undefined
  let piece = new Uint8Array(MIB)
  let filled = 0
  let digesting = Promise.resolve()
  const close = async () => {
    await digesting
    const full = filled === MIB ? piece : piece.subarray(0, filled)
    whole?.update(full)
    digesting = crypto.subtle.digest('SHA-256', full)
    piece = new Uint8Array(MIB)
    filled = 0
  }
  return {
    async add(chunk) {
      for (let at = 0; at < chunk.length;) {
        const part = chunk.subarray(at, at + MIB - filled)
        piece.set(part, filled)
        filled += part.length
        at += part.length
        if (filled === MIB) await close()
      }
    },
    async end() {
      if (filled > 0) await close()
      await digesting
      return whole?.digest()
    },
  }
}

onmessage = async ({ data: { kind, urls, sizeBytes } }) => {
  try {
    const started = performance.now()
    let bytes = 0
    if (kind === 'drained') {
      const share = sizeBytes / urls.length
      const parts = urls.map((url, at) => drain(url, urls.length === 1 ? undefined : at * share + '-' + ((at + 1) * share - 1)))
      for (const part of await Promise.all(parts)) bytes += part
    } else {
      const hashed = await hashing(kind === 'pieces and whole')
      bytes = await drain(urls[0], undefined, (chunk) => hashed.add(chunk))
      await hashed.end()
    }
    postMessage({ tookMs: performance.now() - started, bytes })
  } catch (error) {
    postMessage({ error: String(error) })
  }
}
postMessage({ ready: true })
`
