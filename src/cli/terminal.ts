import type { Readable } from 'node:stream'
import { DeliveryError, describeFailure } from '../core/errors.ts'
import { exitCodeOf, type ExitCode } from './exit-codes.ts'
import { nextStepOf } from './next-steps.ts'

/** What a command may touch of the process around it. */
export interface Terminal {
  /** What is piped in. */
  readonly in: Readable
  out(text: string): void
  err(text: string): void
  /** Shows how far a command is, in place of what it showed before; an empty text takes it away. Absent where nobody looks on. */
  progress?(text: string): void
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal
}

/** Ends a command that has said all there is to say, with another code than that for success. */
export class Concluded extends Error {
  override readonly name = 'Concluded'
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode) {
    super(`ended with ${exitCode}`)
    this.exitCode = exitCode
  }
}

/** A command's result: lines for a person, or one JSON object for a script. */
export function report(terminal: Terminal, isJson: boolean, result: { readonly lines: readonly string[]; readonly json: object }): void {
  terminal.out(isJson ? `${JSON.stringify({ ok: true, ...result.json })}\n` : `${result.lines.join('\n')}\n`)
}

/** Says what went wrong, and what to do next. */
export function reportError(terminal: Terminal, isJson: boolean, error: unknown): ExitCode {
  const exitCode = exitCodeOf(error)
  if (error instanceof DeliveryError) {
    if (isJson) terminal.out(`${JSON.stringify({ ok: false, exitCode, failure: error.failure, nextStep: nextStepOf(error) })}\n`)
    else terminal.err(`sealift: ${describeFailure(error.failure)}\n  ${nextStepOf(error)}\n`)
    return exitCode
  }
  const message = error instanceof Error ? error.message : String(error)
  if (isJson) terminal.out(`${JSON.stringify({ ok: false, exitCode, failure: { code: 'fault', detail: message }, nextStep: '' })}\n`)
  else terminal.err(`sealift: ${terminal.env['SEALIFT_DEBUG'] === '1' && error instanceof Error ? (error.stack ?? message) : message}\n`)
  return exitCode
}
