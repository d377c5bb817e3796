import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { recallTrustedRoot, updateTrustedRoot, type RefreshedRoot, type TrustRefreshOptions } from '../../src/tuf/refresh.ts'
import { failureOf } from '../../src/core/errors.ts'
import {
  DAY,
  makeSigner,
  respelled,
  serveRepository,
  TRUSTED_ROOT,
  TufRepository,
  type Role,
  type ServedRepository,
} from './tuf-repository.ts'

const never = new AbortController().signal
const served: ServedRepository[] = []
afterEach(async () => {
  for (const one of served.splice(0)) await one.close()
})

/** A browser that visits a site which pins the first root of the repository. */
interface Visitor {
  readonly options: TrustRefreshOptions
  readonly records: Map<string, unknown>
  readonly asked: string[]
  refresh(more?: Partial<TrustRefreshOptions>, nowSeconds?: number): Promise<RefreshedRoot>
  recall(more?: Partial<TrustRefreshOptions>): Promise<RefreshedRoot | undefined>
}

async function visit(repository: TufRepository, answer?: (path: string, response: ServerResponse) => boolean): Promise<Visitor> {
  const server = await serveRepository(repository, answer)
  served.push(server)
  const records = new Map<string, unknown>()
  const store = {
    get: async (key: string) => records.get(key),
    put: async (key: string, value: unknown) => void records.set(key, structuredClone(value)),
  }
  const options = { repositoryUrl: server.url, initialRoot: repository.pinned(), store }
  return {
    options,
    records,
    asked: server.asked,
    refresh: (more, nowSeconds = Math.floor(Date.now() / 1000)) => updateTrustedRoot({ ...options, ...more }, () => nowSeconds, never),
    recall: (more) => recallTrustedRoot({ ...options, ...more }, never),
  }
}

function publisher(keys: ConstructorParameters<typeof TufRepository>[0] = {}, isConsistent = true): TufRepository {
  const repository = new TufRepository(keys, isConsistent)
  repository.rotate()
  repository.release()
  return repository
}

/** Nothing was kept before: the refresh itself says why. */
async function refusalOf(refreshing: Promise<RefreshedRoot>): Promise<unknown> {
  const outcome = await refreshing.then(
    (refreshed) => ({ refreshed }),
    (error: unknown) => failureOf(error),
  )
  return outcome
}

const failed = (role: Role | 'target', reason: string): object => ({ code: 'trust-refresh-failed', role, reason })
const generation = (generation: number): object => ({ ...TRUSTED_ROOT, generation })

describe('a repository in order', () => {
  test('gives the trusted root, and what vouches for it', async () => {
    const visitor = await visit(publisher())
    const before = Math.floor(Date.now() / 1000)
    const refreshed = await visitor.refresh()
    expect(refreshed).toMatchObject({ trustedRoot: generation(1), version: 1, rootVersion: 1, source: 'repository', failure: undefined })
    expect(refreshed.expiresAtSeconds).toBeGreaterThanOrEqual(before + 7 * DAY - 1)
    expect(refreshed.expiresAtSeconds).toBeLessThan(before + 8 * DAY)
    expect(refreshed.refreshedAtSeconds).toBeGreaterThanOrEqual(before)
  })

  test('without consistent snapshots is asked for plain names', async () => {
    const visitor = await visit(publisher({}, false))
    expect(await visitor.refresh()).toMatchObject({ trustedRoot: generation(1) })
    expect(visitor.asked).toEqual(['2.root.json', 'timestamp.json', 'snapshot.json', 'targets.json', 'targets/trusted_root.json'])
  })

  test('is asked for no more than its timestamp when nothing is new', async () => {
    const visitor = await visit(publisher())
    await visitor.refresh()
    visitor.asked.length = 0
    expect(await visitor.refresh()).toMatchObject({ source: 'repository', version: 1 })
    expect(visitor.asked).toEqual(['2.root.json', 'timestamp.json'])
  })

  test('gives the newer of two', async () => {
    const repository = publisher()
    const visitor = await visit(repository)
    await visitor.refresh()
    repository.release({ version: 2 })
    expect(await visitor.refresh()).toMatchObject({ trustedRoot: generation(2), version: 2, source: 'repository' })
    expect(await visitor.recall()).toMatchObject({ trustedRoot: generation(2), version: 2, source: 'kept' })
  })

  test.each(['p256', 'p384', 'ed25519'] as const)('may sign with %s', async (kind) => {
    const keys = () => ({ signers: [makeSigner(kind), makeSigner(kind)], threshold: 2 })
    const visitor = await visit(publisher({ root: keys(), timestamp: keys(), snapshot: keys(), targets: keys() }))
    expect(await visitor.refresh()).toMatchObject({ source: 'repository' })
  })

  test('may keep its targets elsewhere, in a folder, under SHA-512, and describe no lengths and hashes of metadata', async () => {
    const repository = new TufRepository()
    repository.rotate()
    const sha512 = (bytes: Buffer) => ({ sha512: createHash('sha512').update(bytes).digest('hex') })
    repository.release({ withHashes: false, targetName: 'site/root.json', targetHashes: sha512 })
    const [path = '', target = Buffer.of()] = [...repository.files].find(([name]) => name.startsWith('targets/')) ?? []
    repository.files.delete(path)
    repository.files.set(`elsewhere/site/${sha512(target).sha512}.root.json`, target)
    const visitor = await visit(repository)
    const elsewhere = { targetsUrl: `${visitor.options.repositoryUrl}elsewhere/`, targetName: 'site/root.json' }
    expect(await visitor.refresh(elsewhere)).toMatchObject({ trustedRoot: generation(1) })
  })

  test('hears neither who asks nor from where', async () => {
    let headers: object = {}
    const repository = publisher()
    const visitor = await visit(repository, (_, response) => {
      headers = { ...headers, ...response.req.headers }
      return false
    })
    await visitor.refresh()
    expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['cookie']))
    expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['referer']))
  })
})

describe('an attacker between, once a trusted root is kept', () => {
  /** Version 2 is kept, and `spoil` has its way with what is served next. */
  async function attacked(
    spoil: (repository: TufRepository) => void,
    keys: ConstructorParameters<typeof TufRepository>[0] = {},
  ): Promise<RefreshedRoot> {
    const repository = publisher(keys)
    repository.release({ version: 2 })
    const visitor = await visit(repository)
    await visitor.refresh()
    spoil(repository)
    const answer = await visitor.refresh()
    expect(await visitor.recall()).toMatchObject({ trustedRoot: generation(2) })
    return answer
  }
  const keptInstead = (role: Role | 'target', reason: string): object => ({
    trustedRoot: generation(2),
    source: 'kept',
    failure: failed(role, reason),
  })

  test('brings no older timestamp back', async () => {
    expect(await attacked((repository) => repository.release({ version: 1 }))).toMatchObject(keptInstead('timestamp', 'rollback'))
  })

  test('brings no older snapshot back under a newer timestamp', async () => {
    const spoil = (repository: TufRepository) => repository.release({ version: 1, versions: { timestamp: 3, snapshot: 1, targets: 2 } })
    expect(await attacked(spoil)).toMatchObject(keptInstead('snapshot', 'rollback'))
  })

  test('brings no older targets back under a newer snapshot', async () => {
    const spoil = (repository: TufRepository) => repository.release({ version: 1, versions: { timestamp: 3, snapshot: 3, targets: 1 } })
    expect(await attacked(spoil)).toMatchObject(keptInstead('targets', 'rollback'))
  })

  test('brings no older root back as the next one', async () => {
    const spoil = (repository: TufRepository) => {
      repository.files.set('2.root.json', repository.putRoot(1, repository.keys.root.signers))
    }
    expect(await attacked(spoil)).toMatchObject(keptInstead('root', 'rollback'))
  })

  test('drops no file from a snapshot that once listed it', async () => {
    const repository = publisher()
    repository.release({ version: 2, listed: { 'other.json': 4 } })
    const visitor = await visit(repository)
    await visitor.refresh()
    repository.release({ version: 3 })
    expect(await visitor.refresh()).toMatchObject(keptInstead('snapshot', 'rollback'))
  })

  test.each(['root', 'timestamp', 'snapshot', 'targets'] as const)('freezes nobody with an expired %s', async (role) => {
    const spoil = (repository: TufRepository) => {
      if (role === 'root') repository.rotate({}, -1)
      repository.release({ version: 3, expiresInSeconds: { [role]: -1 } })
    }
    expect(await attacked(spoil)).toMatchObject(keptInstead(role, 'expired'))
  })

  test('freezes nobody with files that were good when they were kept', async () => {
    const visitor = await visit(publisher())
    await visitor.refresh()
    const later = Math.floor(Date.now() / 1000) + 8 * DAY
    expect(await visitor.refresh({}, later)).toMatchObject({ source: 'kept', failure: failed('timestamp', 'expired') })
  })

  test.each(['timestamp', 'snapshot', 'targets'] as const)('has no %s believed that others signed', async (role) => {
    const spoil = (repository: TufRepository) => {
      repository.keys[role] = { signers: [makeSigner()] }
      repository.release({ version: 3 })
    }
    expect(await attacked(spoil)).toMatchObject(keptInstead(role, 'signatures'))
  })

  test('puts no file together from two releases', async () => {
    // Signatures of one length, so that only what is in the files tells them apart.
    const even = Object.fromEntries((['snapshot', 'targets'] as const).map((role) => [role, { signers: [makeSigner('ed25519')] }]))
    const spoil = (repository: TufRepository) => {
      repository.release({ version: 3 })
      const old = repository.files.get('2.snapshot.json') ?? Buffer.of()
      repository.files.set('3.snapshot.json', old)
    }
    expect(await attacked(spoil, even)).toMatchObject(keptInstead('snapshot', 'mismatch'))
    const withoutHashes = (repository: TufRepository) => {
      repository.release({ version: 3, withHashes: false })
      repository.files.set('3.targets.json', repository.files.get('2.targets.json') ?? Buffer.of())
    }
    expect(await attacked(withoutHashes)).toMatchObject(keptInstead('targets', 'mismatch'))
    const olderSnapshot = (repository: TufRepository) => {
      repository.release({ version: 3, withHashes: false })
      repository.files.set('3.snapshot.json', repository.files.get('2.snapshot.json') ?? Buffer.of())
    }
    expect(await attacked(olderSnapshot)).toMatchObject(keptInstead('snapshot', 'mismatch'))
  })

  test.each(['snapshot', 'targets'] as const)('puts no %s of the same version in another place than it was signed for', async (role) => {
    const spoil = (repository: TufRepository) => {
      repository.release({ version: 3, target: generation(8) })
      const other = repository.files.get(`3.${role}.json`) ?? Buffer.of()
      repository.release({ version: 3, target: generation(9) })
      repository.files.set(`3.${role}.json`, other)
    }
    const even = Object.fromEntries((['snapshot', 'targets'] as const).map((name) => [name, { signers: [makeSigner('ed25519')] }]))
    expect(await attacked(spoil, even)).toMatchObject(keptInstead(role, 'mismatch'))
  })

  test('alters no trusted root', async () => {
    const spoil = (repository: TufRepository) => {
      repository.release({ version: 3 })
      for (const [path, bytes] of repository.files) {
        if (path.startsWith('targets/')) repository.files.set(path, Buffer.from(bytes.toString().replace('"tlogs":[]', '"tlogs":{}')))
      }
    }
    expect(await attacked(spoil)).toMatchObject(keptInstead('target', 'mismatch'))
  })

  test('has no shorter or longer trusted root taken than was signed for', async () => {
    const shorter = (repository: TufRepository) => repository.release({ version: 3, targetLength: 1000 })
    expect(await attacked(shorter)).toMatchObject(keptInstead('target', 'mismatch'))
    const longer = (repository: TufRepository) => repository.release({ version: 3, targetLength: 10 })
    expect(await attacked(longer)).toMatchObject(keptInstead('target', 'oversized'))
  })

  test('takes the trusted root away from nobody', async () => {
    const gone = (repository: TufRepository) => repository.release({ version: 3, targetName: 'other.json' })
    expect(await attacked(gone)).toMatchObject(keptInstead('target', 'missing'))
    const silent = (repository: TufRepository) => repository.files.clear()
    expect(await attacked(silent)).toMatchObject(keptInstead('timestamp', 'missing'))
  })
})

/** The bare point at the end of a P-256 key. */
const pointOf = (pem: string): Buffer => Buffer.from(pem.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64').subarray(-65)
/** The same point with one bit of it said twice, which OpenSSL reads too. */
const hybrid = (point: Buffer): Buffer => Buffer.concat([Buffer.of(6 + ((point.at(-1) ?? 0) & 1)), point.subarray(1)])

describe('a file that no publisher would sign for', () => {
  test('a trusted root without a hash is refused, since nothing says what it is', async () => {
    for (const hashes of [{}, { blake2b: '00' }, { md5: '00' }]) {
      const repository = new TufRepository()
      repository.rotate()
      repository.release({ targetHashes: () => hashes as Record<string, string> })
      expect(await refusalOf((await visit(repository)).refresh())).toMatchObject(failed('target', 'mismatch'))
    }
  })

  test('what is no trusted root of Sigstore is refused', async () => {
    const repository = new TufRepository()
    repository.rotate()
    repository.release({ target: { mediaType: 'application/json' } })
    expect(await refusalOf((await visit(repository)).refresh())).toMatchObject(failed('target', 'format'))
  })

  test('one key counts once, under however many ids and spellings it is listed', async () => {
    const signer = makeSigner()
    const spellings = [
      respelled(signer, 'b', (pem) => pem),
      respelled(signer, 'c', (pem) => `\n${pem}\n`),
      respelled(signer, 'd', (pem) => pointOf(pem).toString('hex')),
      respelled(signer, 'e', (pem) => hybrid(pointOf(pem)).toString('hex')),
    ]
    const repository = publisher({ targets: { signers: [signer, ...spellings], threshold: 2 } })
    expect(await refusalOf((await visit(repository)).refresh())).toMatchObject({
      ...failed('targets', 'signatures'),
      detail: expect.stringContaining('1 of the 2 keys') as string,
    })
  })

  test('two signatures of one key are refused', async () => {
    const repository = publisher()
    const timestamp = JSON.parse(repository.files.get('timestamp.json')?.toString() ?? '') as { signatures: unknown[] }
    timestamp.signatures.push(timestamp.signatures[0])
    repository.files.set('timestamp.json', Buffer.from(JSON.stringify(timestamp)))
    expect(await refusalOf((await visit(repository)).refresh())).toMatchObject(failed('timestamp', 'format'))
  })

  test('a role that lists one key id twice is refused', async () => {
    const repository = publisher()
    const root = JSON.parse(JSON.stringify(repository.pinned())) as { signed: { roles: { root: { keyids: string[] } } } }
    root.signed.roles.root.keyids.push(root.signed.roles.root.keyids[0] ?? '')
    const visitor = await visit(repository)
    expect(await refusalOf(visitor.refresh({ initialRoot: root }))).toMatchObject(failed('root', 'format'))
  })

  test('RSA keys do not count, and the refusal says so', async () => {
    const repository = publisher({ timestamp: { signers: [makeSigner('rsa')] } })
    expect(await refusalOf((await visit(repository)).refresh())).toMatchObject({
      ...failed('timestamp', 'signatures'),
      detail: expect.stringContaining('rsassa-pss-sha256') as string,
    })
  })

  test.each([
    ['no JSON', '{'],
    ['no object', '[]'],
    ['another kind of file', '{"signed":{"_type":"root"},"signatures":[]}'],
    [
      'a wrong kind of everything',
      '{"signed":{"_type":"timestamp","spec_version":"1.0","version":"1","expires":7,"meta":[]},"signatures":[]}',
    ],
    ['nested without end', `${'['.repeat(4000)}${']'.repeat(4000)}`],
    ['a bomb of members', JSON.stringify({ signed: { _type: 'timestamp' }, signatures: Array.from({ length: 1100 }, () => ({})) })],
  ])('%s is refused', async (_, text) => {
    const repository = publisher()
    repository.files.set('timestamp.json', Buffer.from(text))
    expect(await refusalOf((await visit(repository)).refresh())).toMatchObject(failed('timestamp', 'format'))
  })

  test.each(['2099-01-01T00:00:00', '2099', '2099-01-01T00:00:00+14:00', 'Thu, 01 Jan 2099 00:00:00 GMT'])(
    'a file that expires at %s is refused: read elsewhere, it would be another time',
    async (expires) => {
      const repository = publisher()
      repository.release({ expires })
      expect(await refusalOf((await visit(repository)).refresh())).toMatchObject(failed('timestamp', 'format'))
    },
  )

  test('a list of a hundred thousand targets is refused before it costs seconds', async () => {
    const repository = publisher()
    repository.release({ version: 2, withHashes: false })
    const targets = JSON.parse(repository.files.get('2.targets.json')?.toString() ?? '') as { signed: { targets: object } }
    targets.signed.targets = Object.fromEntries(Array.from({ length: 100_000 }, (_item, i) => [`${i}`, { length: 1, hashes: {} }]))
    repository.files.set('2.targets.json', Buffer.from(JSON.stringify(targets)))
    const startedMs = performance.now()
    expect(await refusalOf((await visit(repository)).refresh())).toMatchObject(failed('targets', 'format'))
    expect(performance.now() - startedMs).toBeLessThan(3000)
  })
})

test('a redirect is refused before the other host hears of it', async () => {
  const repository = publisher()
  const other = await serveRepository(repository)
  served.push(other)
  const visitor = await visit(repository, (path, response) => {
    if (path !== 'timestamp.json') return false
    response.writeHead(302, { location: `${other.url}${path}` }).end()
    return true
  })
  expect(await refusalOf(visitor.refresh())).toMatchObject(failed('timestamp', 'unreachable'))
  expect(other.asked).toEqual([])
})

describe('endless data', () => {
  test.each([
    ['2.root.json', 'root', 512_000],
    ['timestamp.json', 'timestamp', 16_384],
    ['1.snapshot.json', 'snapshot', 2_000_000],
    ['1.targets.json', 'targets', 5_000_000],
  ] as const)('as %s ends after its limit', async (path, role, limitBytes) => {
    let sentBytes = 0
    const repository = new TufRepository()
    repository.rotate()
    repository.release({ withHashes: false })
    const chunk = Buffer.alloc(65_536, ' ')
    let isClosed: Promise<void> = Promise.resolve()
    const visitor = await visit(repository, (asked, response) => {
      if (asked !== path) return false
      isClosed = new Promise((resolve) => response.once('close', () => resolve()))
      const more = (): void => {
        if (response.destroyed) return
        sentBytes += chunk.length
        if (response.write(chunk)) setImmediate(more)
        else response.once('drain', more)
      }
      more()
      return true
    })
    expect(await refusalOf(visitor.refresh())).toMatchObject({ ...failed(role, 'oversized'), detail: `more than ${limitBytes} bytes` })
    await isClosed
    // Besides the limit only what sockets and streams hold in between.
    expect(sentBytes).toBeLessThan(limitBytes + 16 * 1024 * 1024)
  })

  test('beyond what was signed for ends sooner', async () => {
    const repository = publisher()
    const bytes = repository.files.get('1.targets.json') ?? Buffer.of()
    repository.files.set('1.targets.json', Buffer.concat([bytes, Buffer.from(' ')]))
    expect(await refusalOf((await visit(repository)).refresh())).toMatchObject({
      ...failed('targets', 'oversized'),
      detail: `more than ${bytes.length} bytes`,
    })
  })
})

describe('rotation of roots', () => {
  const three = () => [makeSigner(), makeSigner(), makeSigner()]

  test('needs enough keys of the root before', async () => {
    const old = three()
    const repository = publisher({ root: { signers: old, threshold: 2 } })
    const visitor = await visit(repository)
    const next = three()
    repository.keys.root = { signers: next, threshold: 2 }
    repository.putRoot(2, [...next, ...old.slice(0, 1)])
    expect(await refusalOf(visitor.refresh())).toMatchObject({
      ...failed('root', 'signatures'),
      detail: expect.stringContaining('1 of the 2') as string,
    })
    repository.putRoot(2, [...next, ...old.slice(0, 2)])
    expect(await visitor.refresh()).toMatchObject({ rootVersion: 2, source: 'repository' })
  })

  test('needs enough keys of the new root, so that nobody is locked out', async () => {
    const old = three()
    const repository = publisher({ root: { signers: old, threshold: 2 } })
    const visitor = await visit(repository)
    const next = three()
    repository.keys.root = { signers: next, threshold: 2 }
    repository.putRoot(2, [...old, ...next.slice(0, 1)])
    expect(await refusalOf(visitor.refresh())).toMatchObject({
      ...failed('root', 'signatures'),
      detail: expect.stringContaining('1 of the 2') as string,
    })
  })

  test('leaves out no version', async () => {
    const repository = publisher()
    const visitor = await visit(repository)
    repository.files.set('2.root.json', repository.putRoot(3, repository.keys.root.signers))
    expect(await refusalOf(visitor.refresh())).toMatchObject(failed('root', 'rollback'))
  })

  test('goes thirty-two steps in one refresh, and on from there in the next', async () => {
    const repository = publisher()
    const visitor = await visit(repository)
    // Only the last has not expired, as in a repository that was asked rarely.
    for (let i = 0; i < 32; i++) repository.rotate({}, -1)
    repository.rotate()
    expect(await refusalOf(visitor.refresh())).toMatchObject(failed('root', 'expired'))
    expect(visitor.asked.at(-1)).toBe('33.root.json')
    visitor.asked.length = 0
    expect(await visitor.refresh()).toMatchObject({ rootVersion: 34, source: 'repository' })
    expect(visitor.asked[0]).toBe('34.root.json')
  })

  test('recovers from versions that a thief ran up as high as they go', async () => {
    const repository = publisher()
    const visitor = await visit(repository)
    const high = Number.MAX_SAFE_INTEGER
    repository.release({ version: 2, versions: { timestamp: high, snapshot: high, targets: high } })
    expect(await visitor.refresh()).toMatchObject({ version: high })
    repository.release({ version: 3 })
    expect(await visitor.refresh()).toMatchObject({ source: 'kept', failure: failed('timestamp', 'rollback') })
    repository.rotate({ timestamp: { signers: [makeSigner()] }, snapshot: { signers: [makeSigner()] } })
    repository.release({ version: 3 })
    expect(await visitor.refresh()).toMatchObject({ trustedRoot: generation(3), version: 3, source: 'repository' })
  })

  test.each([
    ['timestamp', { timestamp: Number.MAX_SAFE_INTEGER }],
    ['snapshot', { snapshot: Number.MAX_SAFE_INTEGER, targets: Number.MAX_SAFE_INTEGER }],
  ] as const)('recovers when only the keys of the %s are made anew', async (role, versions) => {
    const repository = publisher()
    const visitor = await visit(repository)
    repository.release({ version: 2, versions })
    expect(await visitor.refresh()).toMatchObject({ source: 'repository' })
    repository.rotate({ [role]: { signers: [makeSigner()] } })
    repository.release({ version: 3 })
    expect(await visitor.refresh()).toMatchObject({ trustedRoot: generation(3), version: 3, source: 'repository' })
  })

  test('takes what is kept along while enough of its signers remain, and no longer', async () => {
    const signers = three()
    const repository = publisher({ targets: { signers, threshold: 2 } })
    const visitor = await visit(repository)
    await visitor.refresh()
    repository.files.delete('timestamp.json')
    repository.rotate({ targets: { signers: [...signers.slice(0, 2), makeSigner()], threshold: 2 } })
    expect(await visitor.refresh()).toMatchObject({ trustedRoot: generation(1), rootVersion: 2, source: 'kept' })
    repository.rotate({ targets: { signers: three(), threshold: 2 } })
    expect(await refusalOf(visitor.refresh())).toMatchObject(failed('timestamp', 'missing'))
    expect(await visitor.recall()).toBeUndefined()
  })
})

describe('what is kept', () => {
  test('serves without the repository, also past its expiry', async () => {
    const visitor = await visit(publisher())
    const refreshed = await visitor.refresh()
    await served.splice(0)[0]?.close()
    const later = Math.floor(Date.now() / 1000) + 400 * DAY
    expect(await visitor.refresh({}, later)).toMatchObject({ ...refreshed, source: 'kept', failure: failed('root', 'unreachable') })
    expect(await visitor.recall()).toMatchObject({ ...refreshed, source: 'kept' })
  })

  test('counts for nothing under another pinned root', async () => {
    const visitor = await visit(publisher())
    await visitor.refresh()
    expect(await visitor.recall({ initialRoot: publisher().pinned() })).toBeUndefined()
  })

  test('goes on from a root that the site has since pinned anew', async () => {
    const repository = publisher()
    const visitor = await visit(repository)
    for (let i = 0; i < 3; i++) repository.rotate({ root: { signers: [makeSigner()] } })
    await visitor.refresh()
    expect(await visitor.recall({ initialRoot: repository.pinned(3) })).toMatchObject({ rootVersion: 4, trustedRoot: generation(1) })
  })

  test('adds no trust that somebody wrote into the records without the keys', async () => {
    const repository = publisher()
    const visitor = await visit(repository)
    await visitor.refresh()
    const foreign = publisher()
    foreign.release({ version: 9, target: generation(666) })
    const other = await visit(foreign)
    await other.refresh()
    const [key = ''] = visitor.records.keys()
    const [forged] = other.records.values()
    const own = visitor.records.get(key) as object
    for (const record of [forged, { ...own, target: Buffer.from(JSON.stringify(generation(666))) }, { ...own, targets: undefined }]) {
      visitor.records.set(key, record)
      expect(await visitor.recall()).toBeUndefined()
    }
    for (const nonsense of [null, 7, { rotations: 7, target: 'x' }, { rotations: [new Uint8Array(600_000)], target: Uint8Array.of(1) }]) {
      visitor.records.set(key, nonsense)
      expect(await visitor.recall()).toBeUndefined()
    }
    expect(await visitor.refresh()).toMatchObject({ trustedRoot: generation(1), source: 'repository' })
  })

  test.each(['timestamp.json', '2.snapshot.json', '2.targets.json', 'targets/'])(
    'survives a refresh that is cut off at %s, and the next one ends it',
    async (cut) => {
      const repository = publisher()
      let isCut = false
      const visitor = await visit(repository, (path, response) => {
        if (isCut && path.startsWith(cut)) response.destroy()
        return response.destroyed
      })
      await visitor.refresh()
      repository.release({ version: 2 })
      isCut = true
      expect(await visitor.refresh()).toMatchObject({ trustedRoot: generation(1), version: 1, source: 'kept' })
      expect(await visitor.recall()).toMatchObject({ trustedRoot: generation(1), version: 1 })
      isCut = false
      expect(await visitor.refresh()).toMatchObject({ trustedRoot: generation(2), version: 2, source: 'repository' })
    },
  )
})

describe('cancelling', () => {
  test('rejects with the reason itself and leaves what is kept', async () => {
    const repository = publisher()
    const stop = new AbortController()
    const reason = new Error('enough')
    let isHeld = false
    const visitor = await visit(repository, (path) => {
      if (isHeld && path === '2.targets.json') stop.abort(reason)
      return isHeld && path === '2.targets.json'
    })
    await visitor.refresh()
    repository.release({ version: 2 })
    isHeld = true
    const refreshing = updateTrustedRoot(visitor.options, () => Math.floor(Date.now() / 1000), stop.signal)
    await expect(refreshing).rejects.toBe(reason)
    expect(await visitor.recall()).toMatchObject({ trustedRoot: generation(1) })
  })
})

test('a URL that does not end in a slash is a mistake of the programmer', async () => {
  const visitor = await visit(publisher())
  await expect(visitor.refresh({ repositoryUrl: 'https://tuf.example' })).rejects.toThrow(TypeError)
})
