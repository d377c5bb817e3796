import { writeFileSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { ServerResponse } from 'node:http'
import { systemClock } from '../../../src/node/system-clock.ts'
import { publish } from '../../../src/node/publish/publish.ts'
import { directoryTarget } from '../../../src/node/push/directory-target.ts'
import { openTargets, type TargetSettings } from '../../../src/node/push/open-target.ts'
import { pushSite } from '../../../src/node/push/push.ts'
import type { PushTarget } from '../../../src/node/push/push-target.ts'
import { bytesOf, catalogueOf, makeFolder, never, snapshotOf } from '../publish-fixture.ts'
import { temporaryFolder } from '../temporary-folder.ts'
import { makeSite, makeSsh, pushOptions, readerIn, serve, soundVersion, startMirror, type Fault, type Site } from './mirror-fixture.ts'

vi.setConfig({ testTimeout: 60_000 })

const targetsOf = (addresses: readonly string[], settings: Partial<TargetSettings> = {}) => openTargets(addresses, { env: {}, ...settings })
const push = (site: Site, targets: readonly PushTarget[], more: object = {}, signal = never) =>
  pushSite({ ...pushOptions(site), site: site.site, targets, ...more }, signal)
const statesOf = (report: { readonly mirrors: readonly { readonly state: string }[] }) => report.mirrors.map(({ state }) => state)
const folder = async () => join(await temporaryFolder(), 'mirror')

test('a folder, a server and a machine behind ssh get all that a client needs, and name it last', async () => {
  const site = await makeSite({ 'agent-1.0.tgz': bytesOf(70 * 64 * 1024), 'tool-2.0.tgz': 'tool' })
  const [dir, remote, server, ssh] = [await folder(), await folder(), await startMirror('/a mirror/'), await makeSsh()]
  const targets = targetsOf([dir, server.url, `ssh://deploy@eu.example:2222${remote}`], { sshProgram: ssh.program })
  const report = await push(site, targets)
  expect(report).toMatchObject({ isComplete: true, quorum: 3, mirrors: [{ state: 'moved' }, { state: 'moved' }, { state: 'moved' }] })
  const { version } = await catalogueOf(site.site)
  for (const read of [readerIn(dir), readerIn(remote), server.read]) expect(await soundVersion(read)).toBe(version)
  expect([...(await snapshotOf(dir)).keys()]).toEqual([...(await snapshotOf(site.site)).keys()])
  expect(await snapshotOf(remote)).toEqual(await snapshotOf(dir))
  const order = server.puts()
  expect(order.at(-1)).toBe('catalogue.json')
  const { artifacts } = await catalogueOf(site.site)
  for (const { artifact, manifest } of artifacts)
    expect(order.indexOf(`by-hash/sha256/${artifact.sha256}`)).toBeLessThan(order.indexOf(`by-hash/sha256/${manifest.sha256}`))
  expect((await ssh.calls())[0]).toMatch(/^-o BatchMode=yes .* -p 2222 -T -- deploy@eu\.example /)
})

test('run again it sends nothing, and after a release only what is new', async () => {
  const site = await makeSite({ 'agent-1.0.tgz': bytesOf(100_000) })
  const server = await startMirror()
  await push(site, targetsOf([server.url]))
  server.requests.length = 0
  expect(await push(site, targetsOf([server.url]))).toMatchObject({ isComplete: true, mirrors: [{ state: 'current', copiedFiles: 0 }] })
  expect(server.puts()).toEqual([])
  const version = await site.publishNext({ 'agent-1.1.tgz': 'newer' })
  expect(await push(site, targetsOf([server.url]))).toMatchObject({
    version,
    mirrors: [{ state: 'moved', copiedBytes: expect.any(Number) }],
  })
  expect(server.requests.filter(({ method, body }) => method === 'PUT' && body.length === 100_000)).toEqual([])
  expect(await soundVersion(server.read)).toBe(version)
})

test('what was written for other tools goes along, and its next edition takes its place', async () => {
  const site = await makeSite()
  const dir = await folder()
  await mkdir(join(site.site, 'exports'))
  for (const edition of ['first', 'second']) {
    await writeFile(join(site.site, 'exports/SHA256SUMS'), edition)
    expect(await push(site, targetsOf([dir]))).toMatchObject({ isComplete: true })
    expect(await readFile(join(dir, 'exports/SHA256SUMS'), 'utf8')).toBe(edition)
  }
})

describe('a readable name', () => {
  test('that files of two platforms have stands for the same one as in the folder', async () => {
    const files = {
      'linux/tool.bin': { name: 'tool', version: '1.0', platform: 'linux/amd64' },
      'darwin/tool.bin': { name: 'tool', version: '1.0', platform: 'darwin/arm64' },
    }
    const site = await makeSite({ 'linux/tool.bin': 'elf', 'darwin/tool.bin': 'mac', 'sealift.publish.json': JSON.stringify({ files }) })
    const name = 'by-name/tool/1.0/tool.bin'
    for (const text of ['elf', 'mac']) {
      await rm(join(site.site, name))
      await writeFile(join(site.site, name), text)
      const dir = await folder()
      expect(await push(site, targetsOf([dir]))).toMatchObject({ isComplete: true })
      expect(await readFile(join(dir, name), 'utf8')).toBe(text)
    }
  })

  test('never leads to other bytes than the catalogue names', async () => {
    const site = await makeSite()
    const name = 'by-name/agent/1.0/agent-1.0.tgz'
    await rm(join(site.site, name))
    await writeFile(join(site.site, name), 'stale')
    const dir = await folder()
    expect(await push(site, targetsOf([dir]))).toMatchObject({ isComplete: true })
    expect(await readFile(join(dir, name), 'utf8')).toBe('agent')
  })
})

test('what a mirror holds wrongly is sent again', async () => {
  const site = await makeSite({ 'agent-1.0.tgz': bytesOf(100_000) })
  const dir = await folder()
  await push(site, targetsOf([dir]))
  const blob = (index: number, paths: readonly string[]) => join(dir, 'by-hash/sha256', paths[index] ?? '')
  const names = await readdir(join(dir, 'by-hash/sha256'))
  await writeFile(blob(0, names), 'altered')
  await truncate(blob(1, names), 1)
  await rm(blob(2, names))
  expect(await push(site, targetsOf([dir]))).toMatchObject({ mirrors: [{ state: 'current', copiedFiles: 3 }] })
  expect(await soundVersion(readerIn(dir))).toBe((await catalogueOf(site.site)).version)
})

const answer = (response: ServerResponse, status: number): true => {
  response.writeHead(status, { connection: 'close' }).end()
  return true
}
const isBlob = (path: string): boolean => path.startsWith('by-hash/')
const store = (alter: (body: Buffer) => Buffer): Fault => {
  return (request, response, files) => {
    if (request.method !== 'PUT' || !isBlob(request.path)) return false
    serve({ ...request, body: alter(request.body) }, response, files)
    return true
  }
}

const FAULTS: Readonly<Record<string, { readonly fault: Fault; readonly failure: object }>> = {
  'alters what it stores': {
    fault: store((body) => Buffer.from(body.map((byte, at) => (at === 7 ? byte ^ 1 : byte)))),
    failure: { code: 'blob-mismatch' },
  },
  'cuts what it stores': { fault: store((body) => body.subarray(0, -1)), failure: { code: 'source-length' } },
  'adds to what it stores': { fault: store((body) => Buffer.concat([body, Buffer.of(0)])), failure: { code: 'source-length' } },
  'says that it took a file, and did not': {
    fault: ({ method, path }, response) => method === 'PUT' && isBlob(path) && answer(response, 201),
    failure: { code: 'source-missing' },
  },
  'refuses the token': {
    fault: ({ method }, response) => method === 'PUT' && answer(response, 403),
    failure: { code: 'source-status', status: 403 },
  },
  'takes no files': {
    fault: ({ method }, response) => method === 'PUT' && answer(response, 405),
    failure: { code: 'source-status', status: 405 },
  },
  'sends elsewhere': { fault: (_, response) => answer(response, 307), failure: { code: 'source-status', status: 307 } },
  'fails each time': {
    fault: ({ path }, response) => isBlob(path) && answer(response, 503),
    failure: { code: 'source-status', status: 503 },
  },
  'answers with a cut file': {
    fault: ({ method, path }, response, files) => {
      const found = files.get(path)
      if (method !== 'GET' || !isBlob(path) || found === undefined) return false
      response.writeHead(200, { 'content-length': found.length })
      response.write(found.subarray(0, 1), () => response.destroy())
      return true
    },
    failure: { code: 'source-unreachable' },
  },
  'breaks off': {
    fault: ({ method, path }, response) => method === 'PUT' && isBlob(path) && response.destroy() === response,
    failure: { code: 'source-unreachable' },
  },
  'takes a file and says nothing': { fault: ({ method, path }) => method === 'PUT' && isBlob(path), failure: { code: 'source-timeout' } },
}

describe('a mirror that', () => {
  test.each(Object.entries(FAULTS))('%s: no catalogue moves, and what each names is whole', async (_, { fault, failure }) => {
    const site = await makeSite()
    const [good, bad] = [await folder(), await startMirror()]
    const targets = targetsOf([good, bad.url], { stallMs: 100 })
    const before = (await push(site, targets)).version
    await site.publishNext({ 'agent-1.1.tgz': 'newer' })
    bad.fault = fault
    const report = await push(site, targets, { attempts: 2 })
    expect(report).toMatchObject({ isComplete: false, mirrors: [{ state: 'held' }, { state: 'failed', trouble: { failure } }] })
    expect([await soundVersion(readerIn(good)), await soundVersion(bad.read)]).toEqual([before, before])
    // Mended, it goes on.
    bad.fault = () => false
    expect(await push(site, targets)).toMatchObject({ isComplete: true, mirrors: [{ state: 'moved', copiedFiles: 0 }, { state: 'moved' }] })
    expect([await soundVersion(readerIn(good)), await soundVersion(bad.read)]).toEqual([report.version, report.version])
  })

  test('refuses files is not sent all the others too', async () => {
    const site = await makeSite(Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`agent-1.${at}.tgz`, `agent ${at}`])))
    const bad = await startMirror('/', ({ method, path }, response) => method === 'PUT' && isBlob(path) && answer(response, 403))
    await push(site, targetsOf([bad.url]))
    expect(bad.puts().filter(isBlob).length).toBeLessThanOrEqual(4)
  })

  test('fails is left behind where enough others hold all of it', async () => {
    const site = await makeSite()
    const [first, second, bad] = [
      await folder(),
      await folder(),
      await startMirror('/', ({ method }, response) => method === 'PUT' && answer(response, 500)),
    ]
    const report = await push(site, targetsOf([first, second, bad.url]), { quorum: 2, attempts: 1 })
    expect(report).toMatchObject({ isComplete: true, quorum: 2 })
    expect(statesOf(report)).toEqual(['moved', 'moved', 'failed'])
    expect(bad.files.has('catalogue.json')).toBe(false)
  })

  test('fails once is tried again, after as long as it asks for', async () => {
    const site = await makeSite()
    const server = await startMirror()
    let failures = 0
    server.fault = ({ method, path }, response) => {
      if (method !== 'PUT' || !isBlob(path) || failures++ > 1) return false
      response.writeHead(503, { 'retry-after': '7' }).end()
      return true
    }
    const pauses: number[] = []
    const { clock } = pushOptions(site)
    const sleep = (ms: number, signal: AbortSignal) => (ms === 7000 ? Promise.resolve(void pauses.push(ms)) : clock?.sleep(ms, signal))
    expect(await push(site, targetsOf([server.url]), { clock: { ...clock, sleep } })).toMatchObject({ mirrors: [{ state: 'moved' }] })
    expect(pauses).toEqual([7000, 7000])
  })

  test('loses its catalogue on the way: that is said, and the command goes on from there', async () => {
    const site = await makeSite()
    const server = await startMirror(
      '/',
      ({ method, path }, response) => method === 'PUT' && path === 'catalogue.json' && answer(response, 500),
    )
    const dir = await folder()
    const report = await push(site, targetsOf([dir, server.url]), { attempts: 1 })
    expect(report).toMatchObject({ isComplete: false, mirrors: [{ state: 'moved' }, { trouble: { file: 'catalogue.json' } }] })
    server.fault = () => false
    expect(statesOf(await push(site, targetsOf([dir, server.url])))).toEqual(['current', 'moved'])
  })
})

describe('a catalogue only moves forward', () => {
  const both = async () => {
    const site = await makeSite()
    const server = await startMirror()
    await push(site, targetsOf([server.url]))
    return { site, server, file: server.files.get('catalogue.json') ?? Buffer.alloc(0) }
  }

  test('where a mirror has a newer one, it stays', async () => {
    const { site, server, file: old } = await both()
    await site.publishNext({ 'agent-1.1.tgz': 'newer' })
    await push(site, targetsOf([server.url]))
    const newer = server.files.get('catalogue.json')
    await writeFile(join(site.site, 'catalogue.json'), old)
    const report = await push(site, targetsOf([server.url]))
    expect(report).toMatchObject({
      isComplete: false,
      mirrors: [
        { state: 'failed', copiedFiles: 0, trouble: { failure: { code: 'publish-conflict', detail: expect.stringContaining('newer') } } },
      ],
    })
    expect(server.files.get('catalogue.json')).toBe(newer)
  })

  test('also where the newer one came while the files were copied', async () => {
    const { site, server, file: old } = await both()
    await site.publishNext({ 'agent-1.1.tgz': 'newer' })
    const newer = await readFile(join(site.site, 'catalogue.json'))
    await push(site, targetsOf([server.url]))
    await writeFile(join(site.site, 'catalogue.json'), old)
    server.files.delete('catalogue.json')
    let looks = 0
    server.fault = ({ method, path }, _response, files) => {
      if (method === 'GET' && path === 'catalogue.json' && looks++ === 1) files.set(path, newer)
      return false
    }
    expect(await push(site, targetsOf([server.url]))).toMatchObject({
      isComplete: false,
      mirrors: [{ trouble: { file: 'catalogue.json' } }],
    })
    expect(server.files.get('catalogue.json')).toBe(newer)
  })

  test('also where the newer one came in the pause before another attempt', async () => {
    const { site, server, file: old } = await both()
    await site.publishNext({ 'agent-1.1.tgz': 'newer' })
    const newer = await readFile(join(site.site, 'catalogue.json'))
    await writeFile(join(site.site, 'catalogue.json'), old)
    server.files.delete('catalogue.json')
    server.fault = ({ method, path }, response, files) => {
      if (method !== 'PUT' || path !== 'catalogue.json' || files.has(path)) return false
      files.set(path, newer)
      return answer(response, 503)
    }
    expect(await push(site, targetsOf([server.url]))).toMatchObject({
      isComplete: false,
      mirrors: [{ trouble: { file: 'catalogue.json', failure: { code: 'publish-conflict' } } }],
    })
    expect(server.files.get('catalogue.json')).toBe(newer)
  })

  test('an attempt that arrived, and was not confirmed, counts', async () => {
    const site = await makeSite()
    const server = await startMirror()
    let isLost = false
    server.fault = (request, response, files) => {
      if (isLost || request.method !== 'PUT' || request.path !== 'catalogue.json') return false
      isLost = true
      files.set(request.path, request.body)
      return answer(response, 502)
    }
    expect(await push(site, targetsOf([server.url]))).toMatchObject({ isComplete: true, mirrors: [{ state: 'moved' }] })
    expect(server.puts().filter((path) => path === 'catalogue.json')).toHaveLength(1)
  })

  test('where a mirror has one of another repository, it stays', async () => {
    const { site, server, file } = await both()
    const other = await folder()
    await publish({ dir: await makeFolder({ 'x-1.0.tgz': 'x' }), site: other, repository: 'other', signer: site.signer }, never)
    const report = await push({ ...site, site: other }, targetsOf([server.url]))
    expect(report).toMatchObject({
      isComplete: false,
      mirrors: [{ trouble: { failure: { code: 'publish-conflict', detail: expect.stringContaining('acme') } } }],
    })
    expect(server.files.get('catalogue.json')).toBe(file)
  })

  test('where a mirror has another of the same version, it stays', async () => {
    const { site, server, file } = await both()
    // The same second, the same key, other files: as two machines that publish at once.
    const { version } = await catalogueOf(site.site)
    const rival = await folder()
    const clock = { ...systemClock, nowMs: () => version * 1000 }
    await publish({ dir: await makeFolder({ 'x-1.0.tgz': 'x' }), site: rival, repository: 'acme', signer: site.signer, clock }, never)
    expect(await catalogueOf(rival)).toMatchObject({ version })
    const report = await push({ ...site, site: rival }, targetsOf([server.url]))
    expect(report).toMatchObject({
      isComplete: false,
      mirrors: [{ trouble: { failure: { code: 'publish-conflict', detail: expect.stringContaining('same version') } } }],
    })
    expect(server.files.get('catalogue.json')).toBe(file)
  })

  test.each([
    ['damaged', (file: Buffer) => file.subarray(0, -9)],
    ['signed by somebody else', () => undefined],
  ])('one that is %s is in nobody’s way', async (_, damage) => {
    const { site, server, file } = await both()
    const stranger = await makeSite()
    server.files.set('catalogue.json', damage(file) ?? (await readFile(join(stranger.site, 'catalogue.json'))))
    expect(await push(site, targetsOf([server.url]))).toMatchObject({ mirrors: [{ state: 'moved' }] })
    expect(server.files.get('catalogue.json')).toEqual(file)
  })
})

describe('the folder is judged as a client would, before anything leaves', () => {
  test.each(['a file is missing', 'a file is altered'])('%s', async (what) => {
    const site = await makeSite({ 'agent-1.0.tgz': bytesOf(1000) })
    const [entry] = (await catalogueOf(site.site)).artifacts
    const path = join(site.site, 'by-hash/sha256', entry?.artifact.sha256 ?? '')
    await (what === 'a file is altered' ? writeFile(path, bytesOf(1000).reverse()) : rm(path))
    const server = await startMirror()
    await expect(push(site, targetsOf([server.url]))).rejects.toMatchObject({ name: 'DeliveryError' })
    expect(server.requests).toEqual([])
  })

  test('by a signer that does not count', async () => {
    const site = await makeSite()
    const server = await startMirror()
    const { trust } = pushOptions(await makeSite())
    await expect(push(site, targetsOf([server.url]), { trust })).rejects.toMatchObject({
      failure: { code: expect.stringMatching(/^(?:signature|identity)/) },
    })
    expect(server.requests).toEqual([])
  })

  test('by its age', async () => {
    const site = await makeSite()
    const server = await startMirror()
    const { clock } = pushOptions(site)
    const later = { ...clock, nowMs: () => Date.now() + 30 * 86_400_000 }
    await expect(push(site, targetsOf([server.url]), { clock: later })).rejects.toMatchObject({ code: 'catalogue-expired' })
    expect(server.requests).toEqual([])
  })

  test('and a file that is altered after that never arrives whole', async () => {
    const site = await makeSite({ 'agent-1.0.tgz': bytesOf(3 << 20) })
    const [entry] = (await catalogueOf(site.site)).artifacts
    const sha256 = entry?.artifact.sha256 ?? ''
    const server = await startMirror()
    const path = `by-hash/sha256/${sha256}`
    const alter = (call: string) => void (call === `write ${path}` && writeFileSync(join(site.site, path), bytesOf(3 << 20).reverse()))
    const report = await push(
      site,
      targetsOf([server.url]).map((target) => watched(target, alter)),
      { attempts: 1 },
    )
    expect(report).toMatchObject({ isComplete: false, mirrors: [{ trouble: { failure: { code: 'input-invalid' } } }] })
    expect(server.files.has(path)).toBe(false)
  })

  test('what was denied is not copied, and may be gone', async () => {
    const site = await makeSite({ 'agent-1.0.tgz': 'agent', 'tool-1.0.tgz': 'tool' })
    const denied = (await catalogueOf(site.site)).artifacts.find(({ name }) => name === 'tool')?.artifact.sha256
    if (denied === undefined) throw new Error('expected a tool')
    await rm(join(site.site, 'by-hash/sha256', denied))
    const dir = await folder()
    expect(await push(site, targetsOf([dir]), { denied: [denied] })).toMatchObject({ isComplete: true })
    expect(await readdir(join(dir, 'by-hash/sha256'))).not.toContain(denied)
  })

  test('it is no mirror of itself, and a quorum is no more than there are mirrors', async () => {
    const site = await makeSite()
    await expect(push(site, targetsOf([join(site.site, '.')]))).rejects.toMatchObject({ code: 'input-invalid' })
    await expect(push(site, targetsOf([await folder()]), { quorum: 2 })).rejects.toMatchObject({ code: 'input-invalid' })
  })
})

/** Lets `before` look at each call of a target. */
function watched(target: PushTarget, before: (call: string) => void): PushTarget {
  return {
    place: target.place,
    sizeOf: async (path, signal) => (before(`size ${path}`), target.sizeOf(path, signal)),
    async *read(path, signal) {
      before(`read ${path}`)
      yield* target.read(path, signal)
    },
    async write(file, signal) {
      before(`write ${file.path}`)
      async function* chunks(reading: AbortSignal) {
        yield* file.chunks(reading)
        before(`last byte of ${file.path}`)
      }
      await target.write({ ...file, chunks }, signal)
      before(`wrote ${file.path}`)
    },
  }
}

test('stopped at any step of a write, a mirror names what it named, whole, and the next run goes on', async () => {
  const site = await makeSite()
  const base = await folder()
  const before = (await push(site, [directoryTarget(base)])).version
  const after = await site.publishNext({ 'agent-1.1.tgz': 'newer' })
  const calls: string[] = []
  const rehearsal = await folder()
  await copyTree(base, rehearsal)
  await push(site, [watched(directoryTarget(rehearsal), (call) => void calls.push(call))])
  // What is done to a file before it is written changes nothing yet.
  const written = new Set(calls.flatMap((call) => (call.startsWith('write ') ? [call.slice('write '.length)] : [])))
  const steps = [...written].flatMap((path) => [`write ${path}`, `last byte of ${path}`, `wrote ${path}`, `read ${path}`])
  expect(steps.length).toBeGreaterThan(20)
  for (const [at, step] of steps.entries()) {
    const dir = await folder()
    await copyTree(base, dir)
    const stop = new AbortController()
    // By its user, or by a fault of the machine, in turn.
    const strike = (): void => {
      if (at % 2 === 0) stop.abort(new Error('stopped'))
      else throw new Error('the disk is gone')
    }
    let isWritten = false
    const target = watched(directoryTarget(dir), (call) => {
      if (call === step && (isWritten || !step.startsWith('read '))) strike()
      if (step.endsWith(call.slice('wrote '.length)) && call.startsWith('wrote ')) isWritten = true
    })
    await expect(push(site, [target], {}, stop.signal)).rejects.toThrow(/stopped|gone/)
    expect([before, after]).toContain(await soundVersion(readerIn(dir)))
    expect([...(await snapshotOf(dir)).keys()].filter((path) => path.endsWith('.part'))).toEqual([])
    await push(site, [directoryTarget(dir)])
    expect(await soundVersion(readerIn(dir))).toBe(after)
  }
})

async function copyTree(from: string, to: string): Promise<void> {
  for (const [path, text] of await snapshotOf(from)) {
    await mkdir(join(to, path, '..'), { recursive: true })
    await writeFile(join(to, path), text, 'latin1')
  }
}

test('a person who stops it hears their own reason', async () => {
  const site = await makeSite()
  const stop = new AbortController()
  const server = await startMirror('/', ({ method }) => {
    if (method === 'PUT') stop.abort(new Error('enough'))
    return method === 'PUT'
  })
  await expect(push(site, targetsOf([server.url]), {}, stop.signal)).rejects.toThrow('enough')
})
