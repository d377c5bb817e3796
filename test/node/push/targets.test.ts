import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { outgoingBytes } from '../../../src/node/push/outgoing-file.ts'
import { openTargets, type TargetSettings } from '../../../src/node/push/open-target.ts'
import type { PushTarget } from '../../../src/node/push/push-target.ts'
import { createManualClock } from '../../signaling/manual-clock.ts'
import { bytesOf, never } from '../publish-fixture.ts'
import { temporaryFolder } from '../temporary-folder.ts'
import { makeSsh, startMirror } from './mirror-fixture.ts'

const KEYS = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' }
const open = (addresses: readonly string[], settings: Partial<TargetSettings> = {}) => openTargets(addresses, { env: {}, ...settings })
const only = (address: string, settings: Partial<TargetSettings> = {}): PushTarget => {
  const [target] = open([address], settings)
  if (target === undefined) throw new Error('expected a target')
  return target
}
const readAll = async (target: PushTarget, path: string): Promise<Buffer> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of target.read(path, never)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

describe('an address is refused before anything is contacted', () => {
  test.each([
    ['plain http to another machine', 'http://mirror.example/'],
    ['a password', 'https://user:secret@mirror.example/'],
    ['a user name', 'https://user@mirror.example/'],
    ['a query', 'https://mirror.example/?token=secret'],
    ['no kind that is known', 'ftp://mirror.example/'],
    ['a host that ssh takes for an option', 'ssh://-oProxyCommand=touch%20x/srv'],
    ['a user that ssh takes for an option', 'ssh://-oProxyCommand=x@mirror.example/srv'],
    ['a user with a command', 'ssh://a%3Btouch%20x@mirror.example/srv'],
    ['a path with a command', 'ssh://mirror.example/srv/$(touch%20x)'],
    ['a path with a quote', "ssh://mirror.example/srv/a'b"],
    ['no path', 'ssh://mirror.example'],
    ['a bucket that is none', 's3://UP_per/x'],
    ['a folder that a program takes for an option', '-rf'],
  ])('with %s', (_, address) => {
    const refused = () => open([address], { env: KEYS, s3Endpoint: 'https://s3.example' })
    expect(refused).toThrow(expect.objectContaining({ code: 'input-invalid' }))
    expect(refused).not.toThrow('secret')
  })

  test('when it is named twice', () => {
    expect(() => open(['https://a.example', 'https://a.example/'])).toThrow(expect.objectContaining({ code: 'input-invalid' }))
  })

  test.each([
    ['no endpoint', { env: KEYS }],
    ['no keys', { s3Endpoint: 'https://s3.example' }],
    ['an endpoint in the clear', { env: KEYS, s3Endpoint: 'http://s3.example' }],
    ['an endpoint in the clear where plain http is allowed', { env: KEYS, s3Endpoint: 'http://s3.example', allowPlainHttp: true }],
  ])('for a bucket with %s', (_, settings) => {
    expect(() => open(['s3://releases/acme'], settings)).toThrow(expect.objectContaining({ code: 'input-invalid' }))
  })
})

describe('a token', () => {
  const tokenAt = async (names: readonly string[], env: Readonly<Record<string, string>>) => {
    const mirror = await startMirror()
    const [target] = open([mirror.url, ...names], { env })
    await target?.sizeOf('x', never)
    return mirror.requests[0]?.headers.authorization
  }

  test('goes to the one server that is named', async () => {
    expect(await tokenAt([], { SEALIFT_PUSH_TOKEN: 'secret' })).toBe('Bearer secret')
  })

  test('goes to none of several, unless it names it', async () => {
    const env = { SEALIFT_PUSH_TOKEN: 'secret', SEALIFT_PUSH_TOKEN_OTHER_EXAMPLE: 'other' }
    expect(await tokenAt(['https://other.example/'], env)).toBeUndefined()
    expect(await tokenAt(['https://other.example/'], { ...env, SEALIFT_PUSH_TOKEN_127_0_0_1: 'own' })).toBe('Bearer own')
  })

  test.each([
    ['https://a-b.example', 'https://a.b.example'],
    ['https://a-b.example', 'https://a-b.example:8443'],
  ])('whose variable could mean %s or %s goes to neither', (one, other) => {
    const refused = () => open([`${one}/x/`, `${other}/`], { env: { SEALIFT_PUSH_TOKEN_A_B_EXAMPLE: 'secret' } })
    expect(refused).toThrow(expect.objectContaining({ code: 'input-invalid' }))
    expect(refused).toThrow(one)
    expect(refused).toThrow(other)
    expect(refused).not.toThrow('secret')
    expect(open([`${one}/x/`, `${other}/`])).toHaveLength(2)
    expect(open([`${one}/x/`, `${one}/y/`], { env: { SEALIFT_PUSH_TOKEN_A_B_EXAMPLE: 'secret' } })).toHaveLength(2)
  })

  test('never travels in the clear', () => {
    expect(() => open(['http://mirror.example/'], { allowPlainHttp: true, env: { SEALIFT_PUSH_TOKEN: 'secret' } })).toThrow('clear')
    expect(open(['http://mirror.example/'], { allowPlainHttp: true })).toHaveLength(1)
  })

  test('does not follow to where a server redirects', async () => {
    const elsewhere = await startMirror()
    const mirror = await startMirror('/', (_, response) => response.writeHead(302, { location: elsewhere.url }).end() === response)
    const target = only(mirror.url, { env: { SEALIFT_PUSH_TOKEN: 'secret' } })
    await expect(readAll(target, 'x')).rejects.toMatchObject({ failure: { code: 'source-status', status: 302 } })
    expect(elsewhere.requests).toEqual([])
  })
})

describe('over ssh', () => {
  test('a name that means something to a shell is a name', async () => {
    const root = await temporaryFolder()
    const { program } = await makeSsh()
    const target = only(`ssh://mirror.example${root}`, { sshProgram: program })
    const path = 'by-name/a/1/it\'s $(touch pwned) `x` & ; "q".tgz'
    await target.write(outgoingBytes(path, bytesOf(200_000)), never)
    expect(await readFile(join(root, path))).toEqual(bytesOf(200_000))
    expect(await readAll(target, path)).toEqual(bytesOf(200_000))
    expect(await target.sizeOf(path, never)).toBe(200_000)
    expect(await target.sizeOf('missing', never)).toBe('missing')
    await expect(readAll(target, 'missing')).rejects.toMatchObject({ code: 'source-missing' })
  })

  test('an upload that breaks off leaves what was there', async () => {
    const root = await temporaryFolder()
    await writeFile(join(root, 'x'), 'old')
    // The other side reads half of it and then sees the end.
    const { program } = await makeSsh('head -c 1000 > /dev/null')
    const cut = { ...outgoingBytes('x', bytesOf(2000)), sizeBytes: 2000 }
    await expect(only(`ssh://mirror.example${root}`, { sshProgram: program }).write(cut, never)).rejects.toMatchObject({
      code: 'source-unreachable',
    })
    expect(await readFile(join(root, 'x'), 'utf8')).toBe('old')
  })

  test.each([
    ['no connection', 'echo "ssh: connect to host: No route to host" >&2; exit 255', { code: 'source-unreachable', phase: 'connect' }],
    ['no rights', 'echo "Permission denied" >&2; exit 1', { code: 'source-refused', detail: 'Permission denied' }],
    ['silence', 'exec sleep 60', { code: 'source-timeout' }],
  ])('%s is told', async (_, script, failure) => {
    const { program } = await makeSsh(script)
    const target = only('ssh://mirror.example/srv', { sshProgram: program, stallMs: 100 })
    await expect(target.write(outgoingBytes('x', bytesOf(1 << 20)), never)).rejects.toMatchObject({ failure })
  })

  test('a mirror that never ends saying how long a file is, is not listened to', async () => {
    const { program } = await makeSsh('while echo 1234567; do sleep 0.01; done')
    expect(await only('ssh://mirror.example/srv', { sshProgram: program }).sizeOf('x', never)).toBe('unknown')
  })

  test('without a client it says what to install', async () => {
    const target = only('ssh://mirror.example/srv', { sshProgram: '/nowhere/ssh' })
    await expect(target.sizeOf('x', never)).rejects.toMatchObject({ failure: { code: 'tool-missing', tool: '/nowhere/ssh' } })
  })
})

describe('over http', () => {
  test('a transfer may take longer than the limit, as long as bytes move', async () => {
    let answer: ServerResponse | undefined
    const mirror = await startMirror('/', (_, response) => {
      answer = response.writeHead(200, { 'content-length': 6 })
      return answer.write('abc')
    })
    const clock = createManualClock(0)
    const chunks = only(mirror.url, { stallMs: 250, clock }).read('x', never)[Symbol.asyncIterator]()
    let read = String((await chunks.next()).value)
    // Each part comes within the limit, all of them together do not.
    for (const part of ['d', 'ef']) {
      const next = chunks.next()
      await clock.advance(200)
      answer?.write(part)
      read += String((await next).value)
    }
    expect([read, (await chunks.next()).done]).toEqual(['abcdef', true])
  })

  test('a server that falls silent in the middle is given up', async () => {
    const mirror = await startMirror('/', (_, response) => response.writeHead(200, { 'content-length': 6 }).write('abc'))
    await expect(readAll(only(mirror.url, { stallMs: 100 }), 'x')).rejects.toMatchObject({ code: 'source-timeout' })
  })

  test('a server that answers before it has read the file is heard', async () => {
    const server = createServer((_, response) => void response.writeHead(413, { connection: 'close' }).end())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const target = only(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    const failure = await target.write(outgoingBytes('x', bytesOf(1 << 20)), never).catch((error: unknown) => error)
    expect(failure).toMatchObject({ failure: { code: expect.stringMatching(/^source-(?:status|unreachable)$/) } })
  })

  test('a server that does not say how long a file is, is asked for the file', async () => {
    const mirror = await startMirror('/', (_, response) => response.writeHead(200, { 'transfer-encoding': 'chunked' }).end() === response)
    expect(await only(mirror.url).sizeOf('x', never)).toBe('unknown')
  })

  test('a server that is not there is unreachable', async () => {
    await expect(only('http://127.0.0.1:9/').sizeOf('x', never)).rejects.toMatchObject({ code: 'source-unreachable' })
  })
})

test('a server is asked over a connection that it has already, and none is left that keeps a process waiting', async () => {
  let connections = 0
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => response.writeHead(request.method === 'PUT' ? 201 : 404).end('short'))
  })
  server.on('connection', () => connections++)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const address = server.address()
  const target = only(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`)
  for (const name of ['a', 'b', 'c']) {
    await expect(readAll(target, name)).rejects.toMatchObject({ failure: { code: 'source-missing' } })
    await target.write(outgoingBytes(name, bytesOf(1000)), never)
  }
  expect(connections).toBeLessThanOrEqual(2)
})
