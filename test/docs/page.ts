import { readFileSync } from 'node:fs'

/** A fenced block of a page under `docs/`. */
export interface Block {
  readonly language: string
  /** What follows the language after the opening fence. */
  readonly label: string
  readonly text: string
}

export function readPage(name: string): string {
  return readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')
}

export function blocksOf(page: string): readonly Block[] {
  return [...page.matchAll(/^```(\w*) ?([^\n]*)\n(.*?)\n```$/gms)].map(([, language = '', label = '', text = '']) => ({
    language,
    label,
    text,
  }))
}

/** Rows of every table, cell by cell, without heads and rules. */
export function rowsOf(page: string): readonly (readonly string[])[] {
  const lines = page.split('\n')
  return lines
    .filter((line, at) => line.startsWith('| ') && !line.startsWith('| ---') && lines[at + 1]?.startsWith('| ---') !== true)
    .map((line) =>
      line
        .slice(1, -1)
        .split(' | ')
        .map((cell) => cell.trim()),
    )
}
