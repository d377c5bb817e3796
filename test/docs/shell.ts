import { expect } from 'vitest'
import { runCli } from '../cli/run-cli.ts'

/** One command of a page, and how it ends. */
export interface Line {
  readonly words: readonly string[]
  readonly exitCode: number
}

/** The commands of a block, one on each line; ` # ends with N` says with what they exit, if not with 0. */
export function linesOf(text: string): readonly Line[] {
  return text.split('\n').map((line) => {
    const [command = '', exit] = line.split(/ # ends with (\d+)$/)
    const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
    return { words, exitCode: Number(exit ?? 0) }
  })
}

/** Holds a command that is not run to the help of that command: it has to be there, with all of its options. */
export async function expectOptions({ words }: Line): Promise<void> {
  const [program, ...args] = words
  expect(program).toBe('sealift')
  const flags = args.findIndex((word) => word.startsWith('-'))
  const names = flags < 0 ? args : args.slice(0, flags)
  let command: readonly string[] = []
  let options = ''
  for (const name of names) {
    const { exitCode, out } = await runCli([...command, name, '--help'])
    if (exitCode !== 0 || !out.startsWith(`Usage: sealift ${[...command, name].join(' ')} `)) break
    command = [...command, name]
    // What follows are words and examples, which may be wrong themselves.
    options = /^Options:\n([\s\S]*?)(?:\n\n|(?![\s\S]))/m.exec(out)?.[1] ?? ''
  }
  expect(command, words.join(' ')).not.toEqual([])
  for (const option of args.filter((word) => word.startsWith('--'))) expect(options, words.join(' ')).toMatch(new RegExp(`${option}\\b`))
}
