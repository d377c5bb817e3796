import { request as requestPlain, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { request as requestSecure } from 'node:https'
import { pipeline } from 'node:stream/promises'
import { DeliveryError, failureOf } from '../../core/errors.ts'
import { beforeStall, chunksBeforeStall, renewing, type StallLimit } from './stall.ts'

/** One request to a mirror. Redirects are not followed: a token would go along. */
export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: { readonly sizeBytes: number; readonly chunks: AsyncIterable<Uint8Array> } | undefined
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** To be read to its end, or dropped. @throws {DeliveryError} `source-unreachable`, `source-timeout` */
  read(signal: AbortSignal): AsyncIterable<Uint8Array>
  /** The connection is closed unless the answer was read to its end. */
  drop(): void
}

const DROPPED_BYTES = 64 * 1024

/** @throws {DeliveryError} `source-unreachable`, `source-timeout`, or what the body throws */
export async function exchange(request: HttpRequest, limit: StallLimit, signal: AbortSignal): Promise<HttpAnswer> {
  const { method, url, headers, body } = request
  const startedMs = limit.clock.monotonicMs()
  const send = url.protocol === 'https:' ? requestSecure : requestPlain
  const length = body === undefined ? {} : { 'content-length': String(body.sizeBytes) }
  const outgoing = send(url, { method, headers: { 'accept-encoding': 'identity', ...headers, ...length } })
  const unreachable = (phase: 'headers' | 'body') => (error: unknown) => {
    signal.throwIfAborted()
    if (failureOf(error) !== undefined) throw error
    const elapsedMs = Math.round(limit.clock.monotonicMs() - startedMs)
    throw new DeliveryError({ code: 'source-unreachable', source: limit.source, phase, elapsedMs }, { cause: error })
  }
  let ownFault: unknown
  const noted = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* chunks
    } catch (error) {
      ownFault = error
      throw error
    }
  }
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve)
    // Not once: a connection that breaks after the answer would otherwise end the process.
    outgoing.on('error', reject)
  })
  try {
    const response = await beforeStall(
      limit,
      (deadline) => {
        if (body === undefined) outgoing.end()
        // What goes wrong on the way out ends the answer too, or comes after it.
        else pipeline(noted(renewing(body.chunks, deadline)), outgoing).catch(() => undefined)
        return answered
      },
      signal,
    )
    response.on('error', () => undefined) // whoever reads it hears of it
    const drop = (): void => dropAnswer(response)
    return { status: response.statusCode ?? 0, headers: response.headers, read: (reading) => readAnswer(response, reading), drop }
  } catch (error) {
    outgoing.destroy()
    return unreachable('headers')(ownFault ?? error)
  }

  /** What is short is read, so that the connection can be used again. */
  function dropAnswer(response: IncomingMessage): void {
    // Nothing frees a connection but the end of its answer, which nobody has seen yet who has not read it.
    if (response.complete && outgoing.writableFinished) return void response.resume()
    const isShort = method === 'HEAD' || Number(response.headers['content-length'] ?? Number.NaN) <= DROPPED_BYTES
    if (!isShort || !outgoing.writableFinished) return void outgoing.destroy()
    outgoing.setTimeout(limit.stallMs, () => outgoing.destroy())
    response.resume()
  }

  async function* readAnswer(response: IncomingMessage, reading: AbortSignal): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of chunksBeforeStall(limit, response, reading)) yield chunk
    } catch (error) {
      unreachable('body')(error)
    } finally {
      if (!response.complete) outgoing.destroy()
      else response.resume()
    }
  }
}
