import { createHash } from 'node:crypto'
import { DeliveryError } from '../../core/errors.ts'
import type { BlobRef } from '../../core/model/artifact.ts'
import { sha256Of } from '../../core/verify/digest.ts'
import type { OutgoingFile, PushTarget } from './push-target.ts'

/** A file that lies where a release is read from. */
export function outgoingFrom(source: PushTarget, path: string, { sha256, sizeBytes }: BlobRef): OutgoingFile {
  const blob = { sha256, sizeBytes }
  return { path, ...blob, chunks: (signal) => checked(source.read(path, signal), { ...blob, at: `${source.place}: ${path}` }) }
}

/** A file that is in memory already. */
export function outgoingBytes(path: string, bytes: Uint8Array): OutgoingFile {
  return {
    path,
    sha256: sha256Of(bytes),
    sizeBytes: bytes.length,
    async *chunks(signal) {
      signal.throwIfAborted()
      yield bytes
    },
  }
}

/** Holds back the last chunk until the digest of all is known, so that no mirror ever gets the whole of a wrong file. */
async function* checked(chunks: AsyncIterable<Uint8Array>, expected: BlobRef & { readonly at: string }): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  let last: Uint8Array | undefined
  for await (const chunk of chunks) {
    sizeBytes += chunk.length
    if (sizeBytes > expected.sizeBytes) throw altered(expected.at)
    if (last !== undefined) yield last
    hash.update(chunk)
    last = chunk
  }
  if (hash.digest('hex') !== expected.sha256) throw altered(expected.at)
  if (last !== undefined) yield last
}

function altered(path: string): DeliveryError {
  return new DeliveryError({
    code: 'input-invalid',
    path,
    detail: 'changed meanwhile, or is not what the signed catalogue names; publish it again',
  })
}
