import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Tally, Target } from './campaign.ts'

/** Writes each finding with its whole input to a file in `dir`. Gives a line about each. */
export async function keepFindings(
  target: Target,
  { findings }: Tally,
  to: { readonly dir: string; readonly name: string },
): Promise<readonly string[]> {
  return Promise.all(
    findings.map(async (finding) => {
      const path = join(to.dir, `${to.name}-${finding.index}.json`)
      await writeFile(path, JSON.stringify({ ...finding, input: target.input(finding.index) }))
      return `${finding.kind} at index ${finding.index}: ${finding.detail}; kept in ${path}`
    }),
  )
}
