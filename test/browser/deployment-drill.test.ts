import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startCdnOrigin, type CdnOrigin } from '../../demo/stack/cdn-origin.ts'
import { findBrowser } from '../../scripts/browser.mjs'
import type { DrillResult } from '../../src/node/drill/run-drill.ts'
import { runCli, type CliResult } from '../cli/run-cli.ts'
import { publishFiles, startSite, type Publication, type Site, type SiteChoices } from './site.ts'

let publication: Publication
let gateway: CdnOrigin
let site: Site | undefined

beforeAll(async () => {
  publication = await publishFiles()
  const { siteDir } = publication
  gateway = await startCdnOrigin({
    id: 'gateway',
    siteDir,
    isArtifact: () => true,
    rateBytesPerSecond: undefined,
    onChange: () => undefined,
  })
})
afterEach(async () => {
  await site?.close()
})
afterAll(async () => {
  await gateway.close()
  await publication.remove()
})

async function openSite(choices: SiteChoices): Promise<Site> {
  site = await startSite(publication, choices)
  return site
}

async function drill(at: Site, scenarios: readonly string[], more: readonly string[] = []): Promise<CliResult> {
  const found = findBrowser()
  if (found === undefined) throw new Error('no Chromium on this machine')
  const args = found.args.flatMap((argument) => ['--browser-arg', argument])
  const only = scenarios.flatMap((name) => ['--only', name])
  return await runCli(['drill', at.url, '--browser', found.path, ...args, ...only, ...more], { env: { ...process.env, ...found.env } })
}

interface Rehearsed {
  readonly artifact: { readonly name: string }
  readonly results: readonly DrillResult[]
  readonly percent: number
  readonly isEnough: boolean
}
const rehearsedIn = (result: CliResult): Rehearsed => result.json() as Rehearsed

test('a deployment with a gateway and a kept portal outlives its CDN, before a download, in the middle of one, and its portal too', async () => {
  const gateways = [{ id: 'gateway', url: gateway.url }]
  const result = await drill(await openSite({ gateways }), ['healthy', 'cdn-refused', 'cdn-midway', 'portal'], ['--json'])
  const { artifact, results, percent } = rehearsedIn(result)
  expect(results.map(({ scenario, detail }) => [scenario, detail])).toEqual([
    ['healthy', undefined],
    ['cdn-refused', undefined],
    ['cdn-midway', undefined],
    ['portal', undefined],
  ])
  expect([artifact.name, percent, result.exitCode]).toEqual(['image', 100, 0])
  const [healthy, refused, midway] = results.map(({ sources }) =>
    sources.filter(({ verifiedBytes }) => verifiedBytes > 0).map(({ tier }) => tier),
  )
  expect(healthy).toContain('cdn')
  expect(refused).toEqual(['gateway'])
  expect(midway?.toSorted()).toEqual(['cdn', 'gateway'])
  for (const { recoveryMs } of results) expect(recoveryMs).toBeGreaterThanOrEqual(0)
})

test('one that has nothing beside its CDN, and no list of files to keep, is told so, and a build that asks stops', async () => {
  const at = await openSite({})
  at.files.set('/sw.js', at.builtWorkerScript)
  const result = await drill(at, ['healthy', 'cdn-refused', 'portal'])
  expect(result.out).toContain('ok   healthy')
  expect(result.out).toMatch(/FAIL cdn-refused .*\n {5}sealift\.json names neither a gateway nor signaling/)
  expect(result.out).toContain('1 of 3 scenarios ended with a verified image 3.0.0.iso: 33 %')
  expect(result.exitCode).toBe(8)
  const gateways = [{ id: 'gateway', url: gateway.url }]
  await at.close()
  const unkept = await openSite({ gateways })
  unkept.files.set('/sw.js', unkept.builtWorkerScript)
  const portal = await drill(unkept, ['healthy', 'portal'], ['--min-success', '50', '--timeout', '20s', '--json'])
  expect(rehearsedIn(portal).results[1]?.detail).toContain('list its files with `sealift init --shell`')
  expect(portal.exitCode).toBe(0)
})
