import { Readable } from 'node:stream'
import { main } from '../../src/cli/main.ts'
import type { Terminal } from '../../src/cli/terminal.ts'

export interface CliResult {
  readonly exitCode: number
  readonly out: string
  readonly err: string
  /** `out` as JSON. */
  json(): unknown
}

/** Runs one command in this process, with streams that are caught. */
export async function runCli(args: readonly string[], around: Partial<Terminal> = {}): Promise<CliResult> {
  let out = ''
  let err = ''
  const terminal: Terminal = {
    in: around.in ?? Readable.from([]),
    out: (text) => {
      out += text
      around.out?.(text)
    },
    err: (text) => void (err += text),
    env: around.env ?? {},
    ...(around.progress === undefined ? {} : { progress: around.progress }),
    signal: around.signal ?? new AbortController().signal,
  }
  const exitCode = await main(args, terminal)
  return { exitCode, out, err, json: () => JSON.parse(out) }
}
