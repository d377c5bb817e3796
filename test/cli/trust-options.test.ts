import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { readTrustFlags } from '../../src/cli/trust-options.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'

test('a trusted root that is no JSON is not quoted, since a person may have named the file with the key', async () => {
  const trustedRoot = join(await temporaryFolder(), 'root.json')
  await writeFile(trustedRoot, 's3cret')
  const refusal: unknown = await readTrustFlags({ identity: 'a', issuer: 'b', trustedRoot }).catch((error: unknown) => error)
  expect(refusal).toMatchObject({ failure: { code: 'input-invalid', path: trustedRoot, detail: 'is neither JSON nor JSON Lines' } })
  expect(inspect(refusal)).not.toContain('s3cret')
})
