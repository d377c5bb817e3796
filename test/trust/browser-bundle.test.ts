import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createContext, runInContext, runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleForBrowser } from '../../scripts/bundle-for-browser.mjs'
import { makeTrustCases, type TrustCase } from './cases.ts'
import { policyOf } from './verdict.ts'

const entry = fileURLToPath(new URL('../../src/trust/sigstore-verifier.ts', import.meta.url))
const code = await bundleForBrowser({ entry, name: 'built' })
const cases = await makeTrustCases()

describe('the script that browsers get', () => {
  // All that it needs of a worker's global, and nothing of Node.
  const global = createContext({ TextEncoder, TextDecoder, atob, btoa })
  runInContext(code, global)

  test('asks for no module and evaluates no text, so that a strict content policy allows it', () => {
    for (const form of [/\brequire\s*\(\s*["'`]/, /\bimport\s*[("'`{*]/, /\beval\s*\(/, /\bnew Function\b/])
      expect(code.search(form)).toBe(-1)
  })

  test('puts no Buffer on the global, and reads none from it', () => {
    expect(code.includes('globalThis.Buffer')).toBe(false)
    expect(Object.keys(global)).not.toContain('Buffer')
  })

  test.each(cases)('gives the verdict that Node gives: $name: $expected', async (trustCase) => {
    expect(await verdictInside(trustCase)).toBe(trustCase.expected)
  })

  async function verdictInside(trustCase: TrustCase): Promise<unknown> {
    const verify = 'built.createSigstoreVerifier().verify(file, subject, policy)'
    Object.assign(global, { file: new TextEncoder().encode(trustCase.file), subject: trustCase.subject, policy: policyOf(trustCase) })
    const verdict: unknown = runInContext(`${verify}.then(() => 'accepted', (error) => error.failure?.code ?? String(error))`, global)
    return verdict
  }
})

describe('another package in the same script', () => {
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'sealift-'))
  })
  afterAll(() => rm(dir, { recursive: true }))

  test('is given no Buffer', async () => {
    const path = join(dir, 'entry.js')
    await writeFile(path, 'export const kind = typeof Buffer')
    const script = await bundleForBrowser({ entry: path, name: 'other' })
    expect(runInNewContext(`${script};other.kind`)).toBe('undefined')
  })
})
