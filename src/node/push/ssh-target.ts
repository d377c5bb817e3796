import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { posix } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { DeliveryError, failureOf } from '../../core/errors.ts'
import { errorCode, temporaryName } from '../durable-file.ts'
import type { PushTarget } from './push-target.ts'
import { shareConnection } from './ssh-sharing.ts'
import { plainWords } from './words.ts'
import { beforeStall, chunksBeforeStall, renewing, type StallLimit } from './stall.ts'

export interface SshPlace {
  /** `ssh://user@host/path`. */
  readonly place: string
  /** `host` or `user@host`; starts with no `-`. */
  readonly destination: string
  readonly port: number | undefined
  /** Of the layout's root, absolute. */
  readonly root: string
  /** What to run instead of `ssh`. */
  readonly program: string
}

/** What the scripts below end with; 255 is ssh's own. */
const MISSING = 44
const SHORT = 45
const NO_CONNECTION = 255
const STDERR_BYTES = 4096
/** What is longer is no size. A mirror that is no friend might go on for ever. */
const SIZE_CHARACTERS = 64

/**
 * A folder of a machine that is reached by `ssh`, with whatever keys and `~/.ssh/config` the user has; nothing is ever asked for.
 * The other side needs a shell, `cat`, `mv`, `mkdir` and `wc`. Each file appears whole or not at all.
 */
export function sshTarget(ssh: SshPlace, limit: StallLimit): PushTarget {
  const { place, root } = ssh
  const at = (path: string): string => posix.join(root, path)
  let sharing: Promise<readonly string[]> | undefined
  const run = async function* (script: string, signal: AbortSignal, input?: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    sharing ??= shareConnection({ ...ssh, options: optionsOf(ssh) }, limit, signal)
    // Whoever asked first may have given up: that is not everybody's.
    const options = await sharing.catch(() => [])
    yield* runRemote(ssh, { script, input, limit, options }, signal)
  }
  return {
    place,
    async sizeOf(path, signal) {
      const file = quote(at(path))
      let said = ''
      try {
        for await (const chunk of run(`[ -f ${file} ] || exit ${MISSING}; wc -c < ${file}`, signal)) {
          said += Buffer.from(chunk).toString('latin1')
          if (said.length > SIZE_CHARACTERS) return 'unknown'
        }
      } catch (error) {
        if (failureOf(error)?.code === 'source-missing') return 'missing'
        throw error
      }
      const size = said.trim()
      return /^\d{1,15}$/.test(size) ? Number(size) : 'unknown'
    },
    read(path, signal) {
      const file = quote(at(path))
      return run(`[ -f ${file} ] || exit ${MISSING}; exec cat ${file}`, signal)
    },
    async write({ path, sizeBytes, chunks }, signal) {
      const [file, folder, part] = [at(path), posix.dirname(at(path)), temporaryName(at(path)).replaceAll('\\', '/')].map(quote)
      // A connection that breaks looks like the end of the input: then the size is wrong, and nothing is moved into place.
      const script = [
        `umask 022; mkdir -p ${folder} || exit 1`,
        `trap 'rm -f ${quoteAgain(part)}' EXIT HUP TERM`,
        `cat > ${part} || exit 1`,
        `[ "$(wc -c < ${part})" -eq ${sizeBytes} ] || exit ${SHORT}`,
        `sync ${part} 2> /dev/null; mv -f ${part} ${file}`,
      ].join('\n')
      for await (const _ of run(script, signal, chunks(signal))) continue
    },
  }
}

interface RemoteWork {
  readonly script: string
  readonly input: AsyncIterable<Uint8Array> | undefined
  readonly limit: StallLimit
  /** Beside those of every connection. */
  readonly options: readonly string[]
}

/** Output of a script on the other side. @throws {DeliveryError} `source-*`, `tool-missing`, or what the input throws */
async function* runRemote(ssh: SshPlace, { script, input, limit, options }: RemoteWork, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  signal.throwIfAborted()
  const startedMs = limit.clock.monotonicMs()
  const child = spawn(ssh.program, [...optionsOf(ssh), ...options, '-T', '--', ssh.destination, script], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const ended = endOf(child)
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-STDERR_BYTES)))
  try {
    await beforeStall(limit, (deadline) => feed(child, input === undefined ? undefined : renewing(input, deadline)), signal)
    yield* chunksBeforeStall(limit, child.stdout, signal)
    const end = await beforeStall(limit, () => ended, signal)
    if (end.code !== 0) throw failureFor(end)
  } finally {
    child.kill()
  }

  function failureFor({ code, error }: Ending): DeliveryError {
    const { source } = limit
    if (errorCode(error) === 'ENOENT')
      return new DeliveryError({ code: 'tool-missing', tool: ssh.program, detail: 'install an OpenSSH client' }, { cause: error })
    if (code === MISSING) return new DeliveryError({ code: 'source-missing', source })
    const elapsedMs = Math.round(limit.clock.monotonicMs() - startedMs)
    const cause = new Error(plainWords(complaint) || `ssh ended with ${code}`, { cause: error })
    if (code === SHORT) return new DeliveryError({ code: 'source-unreachable', source, phase: 'body', elapsedMs }, { cause })
    if (code !== NO_CONNECTION && code !== undefined)
      return new DeliveryError({ code: 'source-refused', source, detail: cause.message, retryMs: undefined }, { cause })
    return new DeliveryError({ code: 'source-unreachable', source, phase: 'connect', elapsedMs }, { cause })
  }
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>

interface Ending {
  readonly code: number | undefined
  readonly error: unknown
}

function endOf(child: Child): Promise<Ending> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: undefined, error }))
    child.once('close', (code) => resolve({ code: code ?? undefined, error: undefined }))
  })
}

/** @throws what the input throws; what the other side does not take is told by how it ends */
async function feed(child: Child, input: AsyncIterable<Uint8Array> | undefined): Promise<void> {
  child.stdin.on('error', () => undefined)
  if (input === undefined) return void child.stdin.end()
  try {
    await pipeline(input, child.stdin)
  } catch (error) {
    if (failureOf(error) !== undefined || errorCode(error) === undefined) throw error
  }
}

function optionsOf({ port }: SshPlace): readonly string[] {
  const options = ['BatchMode=yes', 'ConnectTimeout=15', 'ServerAliveInterval=15', 'ServerAliveCountMax=2']
  return [...options.flatMap((option) => ['-o', option]), ...(port === undefined ? [] : ['-p', String(port)])]
}

/** One word for a POSIX shell, whatever it holds. */
function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}

/** A quoted word within single quotes. */
function quoteAgain(word = ''): string {
  return word.replaceAll("'", `'\\''`)
}
