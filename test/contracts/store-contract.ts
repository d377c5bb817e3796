import { describe, test } from 'vitest'
import { STORE_CASES, type StoreSubject } from './store-cases.ts'

/** What every store promises. `make` gives a fresh, empty one for each claim. */
export function storeContract(name: string, make: () => Promise<StoreSubject>): void {
  describe(name, () => {
    test.each(STORE_CASES)('$name', async ({ run }) => {
      await run(await make())
    })
  })
}
