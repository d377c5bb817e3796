import { beforeEach, expect, test } from 'vitest'
import { DeliveryError } from '../../src/core/errors.ts'
import { toArtifactName, toSha256 } from '../../src/core/model/ids.ts'
import type { ArtifactFacts, DeliveryEvent } from '../../src/core/wire/delivery-event.ts'
import type { Delivered, Download, DownloadOptions } from '../../src/page/download.ts'
import { sampleRecord } from '../core/audit/samples.ts'
import { showInterstitial, type InterstitialTools } from '../../src/page/interstitial.ts'
import { interstitialPage } from '../../src/worker/interstitial.ts'
import { resolvedWith } from './resolved.ts'

const SCOPE = 'https://portal.example/'
const DIGEST = 'a'.repeat(64)

beforeEach(async () => {
  const html = await interstitialPage(`${SCOPE}page.js`).text()
  document.body.innerHTML = /<p id=.*<\/progress>/s.exec(html)?.[0] ?? ''
})

const FACTS: ArtifactFacts = {
  name: toArtifactName('edge-agent'),
  version: '1.2.3',
  platform: undefined,
  filename: 'agent.tar.gz',
  mediaType: 'application/gzip',
  sizeBytes: 200,
  sha256: toSha256(DIGEST),
  pieceCount: 1,
  pieceLengthBytes: 65_536,
}

const resolved = resolvedWith(FACTS)

const state = (): string | null | undefined => document.querySelector('#sealift-state')?.textContent

interface Visit {
  readonly asked: readonly (readonly [what: string, version: string | undefined])[]
  readonly saves: number
}

/** Somebody navigates to `path`, and each download ends as `ends` says. */
async function visit(
  path: string,
  ends: (onEvent: (event: DeliveryEvent) => void) => Promise<{ readonly filename: string }>,
): Promise<Visit> {
  location.href = `${SCOPE}${path}`
  const asked: [string, string | undefined][] = []
  let saves = 0
  const start = (what: string, options: DownloadOptions): Download => {
    asked.push([what, options.version])
    const result = ends((event) => options.onEvent?.(event)).then(({ filename }): Delivered => ({
      file: new File(['x'], filename),
      artifact: FACTS,
      record: sampleRecord(),
      save: () => void saves++,
    }))
    return { result, pause: () => undefined, resume: () => undefined, cancel: () => undefined }
  }
  const tools: InterstitialTools = { download: start, downloadDigest: start }
  await showInterstitial(async () => tools, SCOPE)
  return { asked, saves }
}

test('a navigation to a digest fetches, verifies and saves it, and says so', async () => {
  const { asked, saves } = await visit(`_sealift/sha256/${DIGEST}/agent.tar.gz`, async (onEvent) => {
    onEvent(resolved)
    expect(state()).toBe('Fetching agent.tar.gz, 1.2.3…')
    onEvent({ kind: 'progress', pieces: [], verifiedBytes: 50, receivedBytes: 60, sizeBytes: 200 })
    expect(document.querySelector<HTMLProgressElement>('#sealift-progress')?.value).toBe(0.25)
    return { filename: 'agent.tar.gz' }
  })
  expect(asked).toEqual([[DIGEST, undefined]])
  expect(saves).toBe(1)
  expect(state()).toBe('agent.tar.gz is verified and saved to your downloads.')
})

test('a navigation to a name asks for that name and that version', async () => {
  const { asked } = await visit('_sealift/name/edge-agent@1.2.3/agent.tar.gz', async () => ({ filename: 'agent.tar.gz' }))
  expect(asked).toEqual([['edge-agent', '1.2.3']])
})

test('a refusal is told by its code and by what to do, and nothing is saved', async () => {
  const error = new DeliveryError({ code: 'artifact-denied', sha256: toSha256(DIGEST) })
  const { saves } = await visit(`_sealift/sha256/${DIGEST}/agent.tar.gz`, () => Promise.reject(error))
  expect(saves).toBe(0)
  expect(state()).toBe(`Not delivered (artifact-denied). ${error.nextStep}`)
})

test('an unexpected error is told without a word of it', async () => {
  await visit(`_sealift/sha256/${DIGEST}/agent.tar.gz`, () => Promise.reject(new TypeError('secret')))
  expect(state()).toBe('Not delivered. Reload this page.')
})

test('an address that names no artifact starts nothing', async () => {
  const { asked } = await visit('_sealift/sha256/short/agent.tar.gz', async () => ({ filename: 'x' }))
  expect(asked).toEqual([])
  expect(state()).toMatch(/^Not delivered \(artifact-unknown\)/)
})

test('the small page runs one script of its own, allowed by name, and nothing else', async () => {
  const response = interstitialPage(`${SCOPE}page.js?</script><script>alert(1)</script>`)
  const policy = response.headers.get('content-security-policy') ?? ''
  const nonce = /'nonce-([^']+)'/.exec(policy)?.[1]
  const html = await response.text()
  expect(html.match(/<script/g)).toHaveLength(1)
  expect(html).toContain(`<script type="module" nonce="${nonce}">`)
  expect(policy).toContain("default-src 'none'")
  expect(response.headers.get('cache-control')).toBe('no-store')
})
