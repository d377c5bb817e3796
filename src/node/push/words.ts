import { errorCode } from '../durable-file.ts'

const CHARACTERS = 300

/** Words of another program or machine, fit for a terminal: no control characters, and the end of them, where the reason stands. */
export function plainWords(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ')
    .trim()
    .slice(-CHARACTERS)
}

/** What the system or another program said; undefined when it said nothing. */
export function wordsOf(error: unknown): string | undefined {
  const words = plainWords((error instanceof Error ? error.message : '') || (errorCode(error) ?? ''))
  return words === '' ? undefined : words
}
