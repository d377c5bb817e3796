import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { openTargets } from '../../src/node/push/open-target.ts'
import { pushSite } from '../../src/node/push/push.ts'
import { findNginx } from '../../src/node/nginx-gateway.ts'
import { packageRoot } from '../../src/node/package-root.ts'
import { bytesOf, catalogueOf, never } from '../node/publish-fixture.ts'
import { makeSite, pushOptions, readerIn, soundVersion } from '../node/push/mirror-fixture.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'

const nginx = findNginx()
if (nginx === undefined) console.warn('NOT RUN: pushing to nginx, because it is missing. Install it: apt-get install nginx-light')

describe.skipIf(nginx === undefined)('the shipped mirror configuration of nginx', () => {
  test('takes a release from whoever has the token, and gives it to anybody', async () => {
    const [site, mirror] = [await makeSite({ 'agent-1.0.tgz': bytesOf(3 << 20) }), await startShipped()]
    const push = (token: string) => {
      const targets = openTargets([mirror.url], { env: { SEALIFT_PUSH_TOKEN: token } })
      return pushSite({ ...pushOptions(site), site: site.site, targets }, never)
    }
    expect(await push('wrong')).toMatchObject({
      isComplete: false,
      mirrors: [{ trouble: { failure: { code: 'source-status', status: 403 } } }],
    })
    expect(await soundVersion(readerIn(mirror.root))).toBeUndefined()
    expect(await push('secret')).toMatchObject({ isComplete: true, mirrors: [{ state: 'moved' }] })
    const { version, artifacts } = await catalogueOf(site.site)
    expect(await soundVersion(readerIn(mirror.root))).toBe(version)
    expect(await push('secret')).toMatchObject({ mirrors: [{ state: 'current', copiedFiles: 0 }] })
    const read = async (path: string) => (await fetch(`${mirror.url}${path}`)).headers
    const blob = await read(`by-hash/sha256/${artifacts[0]?.artifact.sha256}`)
    expect([blob.get('cache-control'), blob.get('access-control-allow-origin')]).toEqual(['public, max-age=31536000, immutable', '*'])
    expect((await read('catalogue.json')).get('cache-control')).toMatch(/max-age=60,/)
  })
})

/** The shipped file, over plain http on loopback and with folders of this test in it. */
async function startShipped(): Promise<{ readonly url: string; readonly root: string }> {
  const dir = await temporaryFolder()
  const [root, uploads, port] = [join(dir, 'root'), join(dir, 'uploads'), await freePort()]
  await Promise.all([root, uploads].map((folder) => mkdir(folder)))
  const replacements: readonly (readonly [string, string])[] = [
    ['listen 443 ssl;', `listen 127.0.0.1:${port};`],
    ['  ssl_certificate /etc/ssl/sealift/mirror.example.pem;\n', ''],
    ['  ssl_certificate_key /etc/ssl/sealift/mirror.example.key;\n', ''],
    ['root /srv/sealift;', `root ${root};`],
    ['client_body_temp_path /srv/sealift-uploads;', `client_body_temp_path ${uploads};`],
    ['CHANGE-ME', 'secret'],
  ]
  let config = await readFile(join(packageRoot(), 'deploy', 'nginx-mirror.conf'), 'utf8')
  for (const [from, to] of replacements) {
    expect(config).toContain(from)
    config = config.replace(from, to)
  }
  const temp = ['proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir};`).join(' ')
  await writeFile(join(dir, 'nginx.conf'), `pid ${dir}/pid;\nevents {}\nhttp {\naccess_log off; ${temp}\n${config}\n}\n`)
  const child = spawn(nginx ?? '', ['-p', dir, '-e', 'stderr', '-c', join(dir, 'nginx.conf'), '-g', 'daemon off; master_process off;'])
  onTestFinished(async () => {
    if (child.exitCode !== null) return
    child.kill()
    await once(child, 'exit')
  })
  let words = ''
  child.stderr.on('data', (text: Buffer) => (words += text.toString()))
  const url = `http://127.0.0.1:${port}/`
  await vi.waitFor(async () => {
    if (child.exitCode !== null) throw new Error(words)
    await (await fetch(url)).body?.cancel()
  }, 10_000)
  return { url, root }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
