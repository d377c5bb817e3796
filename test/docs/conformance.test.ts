import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { verifyBundle } from '../../src/conformance/verify-bundle.ts'
import { askAll, rowsOf } from '../conformance/judge.ts'
import { createOfflineSigstore, IDENTITY, ISSUER } from '../trust/offline-sigstore.ts'
import { blocksOf, readPage } from './page.ts'

const PAGE = readPage('conformance.md')
const blockOf = (label: string): string => blocksOf(PAGE).find((block) => block.label === label)?.text ?? ''

test('the call in docs/conformance.md is understood as it stands there', async () => {
  const sigstore = await createOfflineSigstore()
  const signed = Buffer.from('an artifact')
  const bundle = await sigstore.signBlob(signed)
  const given = { verifyBundle, bundle, trustedRoot: sigstore.trustedRoot, identity: IDENTITY, issuer: ISSUER }
  const run = async (artifact: Buffer): Promise<unknown> =>
    await runInNewContext(`(async () => { ${blockOf('page')}; return answer })()`, { ...given, artifact })
  expect(await run(signed)).toMatchObject({ verified: true, verdicts: [{ form: 'message' }] })
  await expect(run(Buffer.from('another'))).rejects.toMatchObject({ name: 'DeliveryError', code: 'subject-mismatch' })
})

test('the last line in docs/conformance.md has the form of the one that is printed', async () => {
  const wrong = { name: 'x_fail', expected: 'reject', questions: [{ input: 'digest', question: { bundle: '', policy: {} } }] } as const
  const rows = rowsOf(await askAll([wrong], [{ name: 'page', ask: async () => ({ kind: 'accept' }) }]))
  const [documented] = JSON.parse(blockOf('last-line')).conformance.rows
  expect(Object.keys(documented)).toEqual(Object.keys(rows[0] ?? {}))
  expect(documented.disagree[0]).toBe(rows[0]?.disagree[0]?.replace('x_fail', 'message-signature-of-other_fail'))
})
