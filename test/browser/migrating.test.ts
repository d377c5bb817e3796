import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'vite'
import { expect, test } from 'vitest'
import { packageRoot } from '../../src/node/package-root.ts'
import { blocksOf, readPage } from '../docs/page.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { openRoom } from './room.ts'
import { FILES, javascript } from './site.ts'
import { download, fetchIn, openPortal } from './visitor.ts'

const room = openRoom()

/** The worker that docs/migrating.md shows, as a site's own bundler would build it. */
async function bundleWorker(): Promise<string> {
  const text = blocksOf(readPage('migrating.md')).find(({ label }) => label === 'worker')?.text ?? ''
  const entry = join(await temporaryFolder(), 'service-worker.ts')
  await writeFile(entry, text)
  const result = await build({
    configFile: false,
    logLevel: 'error',
    define: {
      'process.env.NODE_ENV': JSON.stringify('production'),
      'self.__WB_MANIFEST': JSON.stringify([{ url: '/plain.html', revision: '1' }]),
    },
    resolve: {
      alias: {
        'sealift/worker': join(packageRoot(), 'dist/worker.js'),
        'workbox-precaching': join(packageRoot(), 'node_modules/workbox-precaching'),
      },
    },
    build: { write: false, minify: false, lib: { entry, name: 'worker', formats: ['iife'], fileName: 'worker' } },
  })
  const outputs = 'close' in result ? [] : [result].flat().flatMap((one) => one.output)
  return outputs.find((one) => one.type === 'chunk')?.code ?? ''
}

test('a service worker with Workbox of its own and Sealift answers for both, also while the portal is down', async () => {
  const { files, portal, url } = room.site
  files.set('/service-worker.js', javascript(await bundleWorker()))
  files.set(
    '/app.js',
    javascript("import { register } from '/page.js'\nwindow.sealift = await register({ workerUrl: '/service-worker.js' })\n"),
  )
  const page = await openPortal(room.chromium.browser, url)
  expect(await page.evaluate(() => navigator.serviceWorker.controller?.scriptURL)).toBe(`${url}service-worker.js`)
  expect(await download(page, 'agent')).toMatchObject({ kind: 'delivered' })
  await portal.stop()
  expect(await fetchIn(page, '/plain.html')).toMatchObject({ status: 200 })
  expect(await fetchIn(page, `/_sealift/name/agent/${FILES.agent.filename}`)).toMatchObject({
    status: 200,
    sha256: room.publication.digests.agent,
  })
  expect(await fetchIn(page, '/index.html')).toBeUndefined()
})
