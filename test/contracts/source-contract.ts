import { describe, test } from 'vitest'
import { SOURCE_CASES, type SourceSubject } from './source-cases.ts'

/**
 * What every source promises.
 * @param make a source that serves `SOURCE_BYTES` under the digest of `SOURCE_ARTIFACT`; called once per claim
 */
export function sourceContract(name: string, make: () => Promise<SourceSubject>): void {
  describe(name, () => {
    test.each(SOURCE_CASES)('$name', async ({ run }) => {
      await run(await make())
    })
  })
}
