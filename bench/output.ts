/** What a bench says: to people, and as one line of JSON. */
export interface BenchOutput {
  readonly lines: readonly string[]
  readonly result: object
}

/** The word after a flag. */
export function readOption(args: readonly string[], flag: string): string | undefined {
  const at = args.indexOf(flag)
  return at === -1 ? undefined : args[at + 1]
}
