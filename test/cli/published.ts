import { join } from 'node:path'
import { expect } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { makeFolder } from '../node/publish-fixture.ts'
import { runCli } from './run-cli.ts'

/** A published folder, and what the options say of it. */
export async function published() {
  const dir = await makeFolder({ 'dist/agent-1.0.tgz': 'agent' })
  const at = (...names: readonly string[]): string => join(dir, ...names)
  await runCli(['keygen', at('keys')])
  const key = ['--key', at('keys/signing-key.pem')]
  const trust = ['--public-key', at('keys/signing-key.pub')]
  const args = [
    'publish',
    at('dist'),
    '--out',
    at('site'),
    '--repository',
    'acme',
    '--origin',
    'us=https://us.test',
    '--origin',
    'eu=https://eu.test',
    ...key,
  ]
  const result = await runCli(args)
  expect(result.exitCode, result.err).toBe(EXIT.ok)
  return { at, key, trust, site: at('site'), publish: () => runCli(args) }
}
