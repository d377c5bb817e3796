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
