import { describeFailure } from '../core/errors.ts'
import type { FilledFile } from '../node/push/fill-target.ts'
import type { MirrorReport, PushReport } from '../node/push/push.ts'
import { EXIT, exitCodeOfFailure } from './exit-codes.ts'
import { Concluded, report, type Terminal } from './terminal.ts'

/**
 * Says what became of each mirror, and ends the command.
 * @param again the command that goes on where this one stopped
 * @throws {Concluded} when too few mirrors name the catalogue
 */
export function concludeMirrors(
  terminal: Terminal,
  given: { readonly isJson: boolean; readonly result: PushReport; readonly again: string },
): void {
  const { isJson, result, again } = given
  const named = result.mirrors.filter(({ state }) => state === 'moved' || state === 'current').length
  const lines = [
    ...result.mirrors.flatMap(describeMirror),
    `catalogue  ${result.repository} version ${result.version} is named by ${named} of ${result.mirrors.length} mirrors`,
  ]
  const json = { ...result, mirrors: result.mirrors.map(toJson) }
  if (result.isComplete) return report(terminal, isJson, { lines, json })
  const nextStep = `Do what is said of each mirror that failed, then run \`${again}\` again: what is there and right is not sent twice.`
  const failed = result.mirrors.find(({ trouble }) => trouble !== undefined)?.trouble?.failure
  const exitCode = failed === undefined ? EXIT.unavailable : exitCodeOfFailure(failed)
  if (isJson) terminal.out(`${JSON.stringify({ ok: false, exitCode, nextStep, ...json })}\n`)
  else {
    terminal.out(`${lines.join('\n')}\n`)
    terminal.err(`sealift: ${whatStayed(named, result)}\n  ${nextStep}\n`)
  }
  throw new Concluded(exitCode)
}

function whatStayed(named: number, { quorum, mirrors }: PushReport): string {
  const held = mirrors.filter(({ state }) => state === 'held').length
  if (held === 0) return `${quorum} mirrors shall name this catalogue, and ${named} do`
  return `${quorum} mirrors have to hold all of it before one may name it, and ${named + held} do: no catalogue was moved`
}

function describeMirror({ place, state, copiedFiles, copiedBytes, keptFiles, trouble }: MirrorReport): readonly string[] {
  const files = `${copiedFiles} files sent (${copiedBytes} bytes), ${keptFiles} were there`
  if (trouble === undefined) return [`${STATES[state]}  ${place}: ${files}`]
  return [`${STATES[state]}  ${place}: ${trouble.file}: ${adviceFor(trouble)}`, `           ${files}`]
}

/** Padded like the words of other commands. */
const STATES: Readonly<Record<MirrorReport['state'], string>> = {
  moved: 'pushed   ',
  current: 'current  ',
  held: 'held back',
  failed: 'FAILED   ',
}

function toJson({ trouble, ...rest }: MirrorReport): object {
  return { ...rest, trouble: trouble === undefined ? null : { ...trouble, words: trouble.words ?? null, advice: adviceFor(trouble) } }
}

/** What is wrong with a mirror, and what whoever runs it can do. */
function adviceFor({ failure, words }: NonNullable<MirrorReport['trouble']>): string {
  switch (failure.code) {
    case 'source-unreachable':
      return `it cannot be reached, or broke off${words === undefined ? '' : ` (${words})`}. Check its address, your access, and the network between`
    case 'source-timeout':
      return `it was silent for too long (${failure.elapsedMs} ms). See whether it is overloaded, or give it longer with --stall`
    case 'source-status':
      return adviceForStatus(failure.status)
    case 'source-missing':
      return 'it took the file and does not have it. See where it puts what it is sent, and whether it serves that'
    case 'source-length':
      return `it gives back ${failure.actualBytes} of ${failure.expectedBytes} bytes. See whether its disk is full, and what limits the size of files`
    case 'blob-mismatch':
      return 'it gives back other bytes than it was sent. Check its disk, and what stands in front of it and alters files'
    case 'source-refused':
      return `it refused (${failure.detail}). Give it room or rights, as it says`
    case 'publish-conflict':
      return failure.detail
    case 'input-invalid':
      return `${failure.path} ${failure.detail}`
    case 'tool-missing':
      return `${failure.tool} is missing here: ${failure.detail}`
    default:
      return describeFailure(failure)
  }
}

function adviceForStatus(status: number): string {
  if (status === 401 || status === 403)
    return `it answers ${status}. Check the token or keys in the environment, their rights to read and write, and the clock of this machine`
  if (status === 405 || status === 501)
    return `it answers ${status}: it takes no files by PUT. Allow it there, or push to a folder or by ssh`
  if (status === 413) return 'it answers 413: the file is larger than it takes. Raise its limit'
  if (status === 507) return 'it answers 507: its disk is full. Make room'
  if (status >= 300 && status < 400)
    return `it answers ${status}: it redirects, and nobody follows with a token. Give the address that it points to`
  return `it answers ${status}. Look at its log`
}

/** What tells whoever looks on how far it is; undefined where nobody does. */
export function progressOf(terminal: Terminal): ((file: FilledFile) => void) | undefined {
  if (terminal.progress === undefined) return undefined
  let files = 0
  let sentBytes = 0
  return ({ place, sizeBytes, isCopied }) => {
    files += 1
    sentBytes += isCopied ? sizeBytes : 0
    terminal.progress?.(`${files} files checked, ${sentBytes} bytes sent, last to ${place}`.slice(0, PROGRESS_CHARACTERS))
  }
}

/** A line that wraps cannot be written over. */
const PROGRESS_CHARACTERS = 79
