import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { catalogueOf } from '../node/publish-fixture.ts'
import { published } from './published.ts'
import { runCli } from './run-cli.ts'

describe('promote', () => {
  test('puts an origin first', async () => {
    const { site, key } = await published()
    const result = await runCli(['promote', site, '--first', 'eu', '--rollout', 'agent@1.0=10', '--tiers', 'gateway,cdn', ...key, '--json'])
    expect(result.json()).toMatchObject({
      ok: true,
      origins: ['eu', 'us'],
      tiers: ['gateway', 'cdn'],
      artifacts: [{ name: 'agent', rollout: 10 }],
      catalogue: { isNew: true },
    })
    const back = await runCli(['promote', site, '--rollback', ...key])
    expect(back.out).toMatch(/origins {4}us \(cdn\), eu \(cdn\)/)
  })

  test('gives a catalogue a longer life, whatever it has left, and nothing else', async () => {
    const { site, key } = await published()
    const before = await catalogueOf(site)
    expect(await runCli(['promote', site, '--expires-in', '30d', '--grace', '14d', ...key])).toMatchObject({ exitCode: EXIT.ok })
    const { version, createdAtSeconds, expiresAtSeconds, graceSeconds, artifacts, origins } = await catalogueOf(site)
    expect([expiresAtSeconds - createdAtSeconds, graceSeconds]).toEqual([30 * 86_400, 14 * 86_400])
    expect({ artifacts, origins }).toEqual({ artifacts: before.artifacts, origins: before.origins })
    await runCli(['promote', site, '--expires-in', '30d', ...key])
    expect((await catalogueOf(site)).version).toBeGreaterThan(version)
    expect((await catalogueOf(site)).graceSeconds).toBe(graceSeconds)
  })

  test('signs elsewhere in two steps', async () => {
    const { at, site, key, trust } = await published()
    const prepared = await runCli(['promote', site, '--first', 'eu', ...trust, '--prepare', at('payload')])
    expect(prepared).toMatchObject({ exitCode: EXIT.ok, out: expect.stringContaining('attach it') })
    await runCli(['trust', 'sign', at('payload'), ...key, '--bundle', at('bundle')])
    const attached = await runCli(['publish', '--out', site, '--payload', at('payload'), '--attach', at('bundle'), ...trust])
    expect(attached).toMatchObject({ exitCode: EXIT.ok, err: '' })
    expect((await catalogueOf(site)).origins.map(({ id }) => id)).toEqual(['eu', 'us'])
  })

  test.each([
    ['nothing is to change', [], true],
    ['nobody signs', ['--first', 'eu'], false],
    ['an origin is not listed', ['--first', 'asia'], true],
  ])('does nothing where %s', async (_, more, isSigned) => {
    const { site, key, trust } = await published()
    const before = await readFile(join(site, 'catalogue.json'))
    expect(await runCli(['promote', site, ...more, ...(isSigned ? key : trust)])).toMatchObject({ exitCode: EXIT.usage, out: '' })
    expect(await readFile(join(site, 'catalogue.json'))).toEqual(before)
  })
})
