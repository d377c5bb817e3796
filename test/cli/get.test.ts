import { appendFile, copyFile, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { DeliveryError } from '../../src/core/errors.ts'
import { LIMITS } from '../../src/core/limits.ts'
import type { Clock } from '../../src/core/ports.ts'
import type { DeliveryEvent } from '../../src/core/wire/delivery-event.ts'
import { getArtifact } from '../../src/node/get/get-artifact.ts'
import { loadSiteConfig } from '../../src/node/get/site-config.ts'
import { systemClock } from '../../src/node/system-clock.ts'
import { createVolatileMemory } from '../../src/stores/volatile-index.ts'
import { FAULTS } from '../faults/fault-mode.ts'
import { ANY_PROVENANCE } from '../../src/core/verify/provenance-policy.ts'
import { bytesOf, makeAuthoritySigner, makeKeySigner, never, stoppedClock } from '../node/publish-fixture.ts'
import { serveRepository, TufRepository } from '../tuf/tuf-repository.ts'
import {
  BYTES,
  DIGEST,
  FILE,
  fileOf,
  JOURNAL,
  PART,
  PIECE_BYTES,
  PLATFORM,
  piecesAsked,
  piecesKept,
  release,
  serverOf,
  type Release,
} from './get-fixture.ts'
import { runCli } from './run-cli.ts'

const finished = async ({ out }: Release, name = FILE): Promise<boolean> => (await readFile(join(out, name))).equals(BYTES)

describe('sealift get', () => {
  test('leaves the verified file and nothing else, and says who served it', async () => {
    const site = await release()
    const result = await site.get(['agent@1.2.3', '--platform', PLATFORM])
    expect(result).toMatchObject({ exitCode: EXIT.ok, err: '' })
    expect(result.out).toContain(`verified   ${join(site.out, FILE)}\n`)
    expect(result.out).toContain(`from       cdn cdn-1: ${BYTES.length} bytes`)
    expect(result.out).toContain('signed by  the trusted key')
    expect(await finished(site)).toBe(true)
    expect(await site.names()).toEqual([FILE])
  })

  test('prints one JSON object, and nothing when it is to be quiet', async () => {
    const site = await release()
    const result = await site.get(['agent', '--json'])
    expect(result.json()).toMatchObject({
      ok: true,
      name: 'agent',
      version: '1.2.3',
      platform: PLATFORM,
      sha256: DIGEST,
      sizeBytes: BYTES.length,
      seconds: expect.any(Number),
      file: join(site.out, FILE),
      isAlreadyThere: false,
      sources: [{ source: 'cdn-1', tier: 'cdn', verifiedBytes: BYTES.length, failures: [] }],
      verdicts: [{ verdict: { form: 'message' } }],
    })
    expect(await site.get(['agent', '--quiet'])).toMatchObject({ exitCode: EXIT.ok, out: '', err: '' })
  })

  test('takes the file of this machine unless another platform is named', async () => {
    const site = await release()
    const other = 'agent-1.2.3-freebsd-riscv64.zip'
    await site.publish({ [other]: bytesOf(1000) })
    expect((await site.get(['agent', '--json'])).json()).toMatchObject({ platform: PLATFORM })
    expect((await site.get(['agent', '--platform', 'freebsd/riscv64', '--json'])).json()).toMatchObject({ file: join(site.out, other) })
    expect(await site.get(['agent', '--platform', 'android/386'])).toMatchObject({
      exitCode: EXIT.unknown,
      err: expect.stringContaining('platform'),
    })
  })

  test('takes a name for the file, and refuses a pipe, a folder that is not there, and one that cannot be written to', async () => {
    const site = await release()
    const to = (out: string) => runCli([...site.args(), '--out', out])
    expect(await to(join(site.out, 'other.bin'))).toMatchObject({ exitCode: EXIT.ok })
    expect(await finished(site, 'other.bin')).toBe(true)
    expect(await to('-')).toMatchObject({ exitCode: EXIT.usage, err: expect.stringContaining('a pipe cannot be taken back') })
    expect(await to(join(site.out, 'none', 'file'))).toMatchObject({
      exitCode: EXIT.usage,
      err: expect.stringContaining('there is no such folder'),
    })
    expect(await to(`${site.out}/none/`)).toMatchObject({ exitCode: EXIT.usage })
    // Not even root makes a file there.
    expect(await to('/sys')).toMatchObject({ exitCode: EXIT.usage, err: expect.stringContaining('cannot be written') })
    expect(await to('/dev/null')).toMatchObject({ exitCode: EXIT.usage, err: expect.stringContaining('neither a file nor a folder') })
  })

  test('a file that is there already with these bytes is verified and not fetched again; another one is left alone', async () => {
    const site = await release()
    const server = serverOf(site)
    await writeFile(join(site.out, FILE), BYTES)
    const again = await site.get(['agent', '--audit', join(site.work, 'audit.jsonl')])
    expect(again).toMatchObject({ exitCode: EXIT.ok, out: expect.stringContaining('which was there already') })
    expect(server.sentBytes).toBe(0)
    // Nothing was delivered: a record would say that somebody had served it.
    await expect(readFile(join(site.work, 'audit.jsonl'))).rejects.toMatchObject({ code: 'ENOENT' })

    await writeFile(join(site.out, FILE), 'mine')
    expect(await site.get()).toMatchObject({ exitCode: EXIT.usage, err: expect.stringContaining('--force replaces it') })
    expect(await readFile(join(site.out, FILE), 'utf8')).toBe('mine')
    expect(await site.get(['agent', '--force'])).toMatchObject({ exitCode: EXIT.ok })
    expect(await finished(site)).toBe(true)
    expect(await site.names()).toEqual([FILE])
  })

  test('what lies under the name of the unfinished file is not written through', async () => {
    const site = await release()
    const victim = join(site.work, 'victim')
    await writeFile(victim, 'precious')
    await symlink(victim, join(site.out, PART))
    await symlink(victim, join(site.out, JOURNAL))
    expect(await site.get()).toMatchObject({ exitCode: EXIT.ok })
    expect(await readFile(victim, 'utf8')).toBe('precious')
    expect(await finished(site)).toBe(true)
  })

  test('its records are one chain, that audit and report read', async () => {
    const site = await release()
    const audit = join(site.work, 'audit.jsonl')
    await site.get(['agent', '--audit', audit])
    await rm(join(site.out, FILE))
    await serverOf(site).set('refused')
    expect(await site.get(['agent', '--audit', audit])).toMatchObject({ exitCode: EXIT.unavailable })
    await serverOf(site).set('none')
    await site.get(['agent', '--audit', audit])
    expect((await runCli(['audit', 'verify', audit, '--json'])).json()).toMatchObject({ ok: true, outcomes: { delivered: 2, refused: 0 } })
    expect((await runCli(['report', audit, '--json'])).json()).toMatchObject({ artifacts: [{ sources: [{ source: 'cdn-1' }] }] })

    await appendFile(audit, '{"schema":1')
    await rm(join(site.out, FILE))
    serverOf(site).forget()
    expect(await site.get(['agent', '--audit', audit])).toMatchObject({ exitCode: EXIT.usage, err: expect.stringContaining('was cut off') })
    expect(serverOf(site).requests).toEqual([])
  })
})

describe('an outage', () => {
  test('a primary that fails in any way that servers do is passed over for the next', async () => {
    const site = await release({ servers: 2 })
    const ends = FAULTS.map(async (mode, i) => {
      const server = await site.another()
      await server.set(mode, 'everything')
      const args = ['agent', '--out', join(site.out, `${i}.bin`), '--state', join(site.work, `state-${i}`)]
      const config = await site.configOf([server, serverOf(site)], `${i}.json`)
      const { exitCode } = await runCli([...site.args(args), '--config', config])
      return [mode, exitCode, exitCode === 0 && (await finished(site, `${i}.bin`))]
    })
    expect(await Promise.all(ends)).toEqual(FAULTS.map((mode) => [mode, EXIT.ok, true]))
  })

  test.each(['corrupt-byte', 'html', 'cut-without-length', 'status-503-retry-after', 'hang'] as const)(
    'with nobody else to ask, %s is waited for long enough, and leaves no file of that name',
    async (mode) => {
      const site = await release()
      await serverOf(site).set(mode)
      const clock = hurryingClock()
      const hurry = (event: DeliveryEvent): void => {
        // Its documents are there: what comes is pieces alone.
        if (event.kind === 'signed') clock.hurry(500)
      }
      const options = { config: site.config, out: site.out, stateDir: join(site.work, 'state'), onEvent: hurry, clock }
      const request = { kind: 'name', name: 'agent', version: undefined, platform: undefined, channel: undefined } as const
      const added = { origins: [], gateways: [] }
      const work = getArtifact({ ...options, request, added, force: false, audit: undefined }, never)
      await expect(work).rejects.toMatchObject({ failure: { code: 'sources-exhausted', reasons: [{ source: 'cdn-1' }] } })
      expect(await site.names()).not.toContain(FILE)
    },
  )

  test('with everything dark, it says who was asked', async () => {
    const site = await release({ servers: 2 })
    await Promise.all(site.servers.map((server) => server.set('refused')))
    const result = await site.get()
    expect(result).toMatchObject({ exitCode: EXIT.unavailable, out: '' })
    for (const { id } of [{ id: 'cdn-1' }, { id: 'cdn-2' }]) expect(result.err).toMatch(new RegExp(`^tried .*source=${id}`, 'm'))
    expect(result.err).toContain('Check the network of this machine, or name another place')
    expect(await site.names()).toEqual([])
  })

  test('a place that only the command line names is enough, and no name is given twice', async () => {
    const site = await release({ servers: 2 })
    await serverOf(site).set('refused')
    const config = await site.configOf([serverOf(site)], 'one.json')
    const { url } = serverOf(site, 1)
    const args = [...site.args(['agent', '--gateway', `lan=${url}`, '--json']), '--config', config]
    expect((await runCli(args)).json()).toMatchObject({ catalogue: { source: 'lan' }, sources: [{ source: 'lan', tier: 'gateway' }, {}] })
    const twice = [...site.args(['agent', '--origin', `cdn-1=${url}`]), '--config', config]
    expect(await runCli(twice)).toMatchObject({ exitCode: EXIT.usage, err: expect.stringContaining('already is the name of') })
    const none = [...site.args(), '--config', await site.configOf([], 'none.json')]
    expect(await runCli(none)).toMatchObject({ exitCode: EXIT.usage, err: expect.stringContaining('names no place to fetch from') })
  })

  test('with the portal down, the configuration of an earlier run counts', async () => {
    const site = await release()
    let answer: 'down' | Uint8Array = 'down'
    const url = await portal(() => answer)
    const run = (...more: string[]) => runCli([...site.args(), '--config', url, ...more])
    expect(await run()).toMatchObject({ exitCode: EXIT.unavailable })
    answer = await readFile(site.config)
    expect(await run()).toMatchObject({ exitCode: EXIT.ok })
    answer = 'down'
    expect(await run('--out', join(site.out, 'again'))).toMatchObject({
      exitCode: EXIT.ok,
      out: expect.stringContaining('copy of an earlier run'),
    })
    answer = Buffer.from('<html>Be right back</html>')
    expect(await run('--out', join(site.out, 'once-more'))).toMatchObject({
      exitCode: EXIT.ok,
      out: expect.stringContaining('the portal gave no usable answer'),
    })
  })

  test('an answer that cannot be kept is no reason to believe an older one', async () => {
    const site = await release()
    let answer = await readFile(site.config)
    const place = await portal(() => answer)
    const { records } = createVolatileMemory()
    const load = (put = records.put) => loadSiteConfig({ place, records: { ...records, put }, clock: systemClock }, never)
    expect(await load()).toMatchObject({ isCopy: false })
    answer = Buffer.concat([answer, Buffer.from('\n')])
    const full = new DeliveryError({ code: 'quota-exceeded', neededBytes: 1 })
    await expect(load(async () => await Promise.reject(full))).rejects.toBe(full)
  })

  test('a configuration that is too long is said to be one', async () => {
    const site = await release()
    const url = await portal(() => Buffer.alloc(LIMITS.siteConfigBytes + 1, ' '))
    const result = await runCli([...site.args(), '--config', url])
    expect(result.err).toContain('config-invalid')
  })

  test('with no catalogue to be had, the one of an earlier run counts', async () => {
    const site = await release()
    await site.get()
    await rm(join(site.site, 'catalogue.json'))
    expect(await site.get(['agent', '--out', join(site.out, 'again')])).toMatchObject({ exitCode: EXIT.ok })
  })
})

describe('trust', () => {
  test('what is published now is what one gets, and an older catalogue takes nothing back', async () => {
    const site = await release()
    await site.get()
    await copyFile(join(site.site, 'catalogue.json'), join(site.work, 'old.json'))
    await site.publish({ [fileOf('1.3.0')]: bytesOf(1000) })
    expect((await site.get(['agent', '--json'])).json()).toMatchObject({ version: '1.3.0' })
    await copyFile(join(site.work, 'old.json'), join(site.site, 'catalogue.json'))
    const again = ['agent', '--json', '--out', join(site.out, 'again')]
    expect((await site.get(again)).json()).toMatchObject({ version: '1.3.0', catalogue: { source: 'kept' } })
    // Who knows nothing of the newer one cannot tell.
    const stranger = [...again, '--force', '--state', join(site.work, 'other-state')]
    expect((await site.get(stranger)).json()).toMatchObject({ version: '1.2.3' })
  })

  test('an expired catalogue names nothing any more; a digest that is vouched for elsewhere is still to be had', async () => {
    const clock = stoppedClock(Math.floor(Date.now() / 1000) - 30 * 86_400)
    const site = await release({ published: { clock } })
    expect(await site.get()).toMatchObject({ exitCode: EXIT.refused, err: expect.stringContaining('catalogue-expired') })
    expect(await site.names()).toEqual([])
    expect(await site.get([`sha256:${DIGEST}`])).toMatchObject({
      exitCode: EXIT.ok,
      out: expect.stringContaining('vouched for the digest'),
    })
    expect(await finished(site)).toBe(true)
  })

  test.each(['catalogue', 'artifact'] as const)(
    'an %s that somebody else has signed is refused, and nothing of it is left',
    async (what) => {
      const other = await makeKeySigner()
      const site = await release(what === 'catalogue' ? { catalogueSigner: other } : { artifactSigner: other })
      const audit = join(site.work, 'audit.jsonl')
      expect(await site.get(['agent', '--audit', audit, '--json'])).toMatchObject({ exitCode: EXIT.refused })
      expect(await site.names()).toEqual([])
      if (what === 'artifact') expect(await readFile(audit, 'utf8')).toContain('"kind":"refused"')
    },
  )

  test('provenance is asked for as in a page: of a build of other sources nothing is left', async () => {
    const signer = await makeAuthoritySigner()
    const site = await release({ signer, trust: { provenance: { ...ANY_PROVENANCE, required: true } } })
    const result = await site.get()
    expect(result).toMatchObject({ exitCode: EXIT.ok })
    expect(result.out).toMatch(/^attested by .*\n {11}as https:\/\/slsa\.dev\/provenance/m)
    const source = { ...ANY_PROVENANCE.source, uri: 'https://github.com/other/agent' }
    const other = await site.configOf(site.servers, 'other.json', { provenance: { ...ANY_PROVENANCE, required: true, source } })
    expect(await runCli([...site.args(['agent', '--out', join(site.out, 'again')]), '--config', other])).toMatchObject({
      exitCode: EXIT.refused,
      err: expect.stringContaining('provenance-refused'),
    })
    expect(await site.names()).toEqual([FILE])
  })

  test('trusted roots that a repository has added since count, and what was pinned does where it is down', async () => {
    const [signer, { policy }] = [await makeAuthoritySigner(), await makeAuthoritySigner()]
    const repository = new TufRepository()
    repository.rotate()
    repository.release({ target: Object(signer.policy.trustedRoot) })
    const served = await serveRepository(repository)
    onTestFinished(() => served.close())
    const refresh = { url: served.url, root: repository.pinned() }
    // Of an authority that this publisher has left.
    const site = await release({ signer, trust: { trustedRoot: policy.trustedRoot, refresh } })
    expect(await site.get()).toMatchObject({ exitCode: EXIT.ok })
    await served.close()
    const pinned = await site.configOf(site.servers, 'pinned.json', { refresh })
    const old = await site.configOf(site.servers, 'old.json', { trustedRoot: policy.trustedRoot, refresh })
    const get = (config: string) => runCli([...site.args(['agent', '--force']), '--config', config])
    expect(await get(pinned)).toMatchObject({ exitCode: EXIT.ok })
    expect(await get(old)).toMatchObject({ exitCode: EXIT.refused, err: expect.stringContaining('signature-invalid') })
    // Kept from the run before.
    expect(await site.get(['agent', '--force'])).toMatchObject({ exitCode: EXIT.ok })
  })

  test('a file that is there, and is refused, is left alone', async () => {
    const site = await release({ artifactSigner: await makeKeySigner() })
    await writeFile(join(site.out, FILE), BYTES)
    expect(await site.get()).toMatchObject({ exitCode: EXIT.refused })
    expect(await site.names()).toEqual([FILE])
  })
})

/** A server of sealift.json. @returns its URL */
async function portal(answer: () => 'down' | Uint8Array): Promise<string> {
  const server = createServer((_, response) => {
    const bytes = answer()
    if (bytes === 'down') response.destroy()
    else response.end(bytes)
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  return `http://127.0.0.1:${String(Reflect.get(Object(server.address()), 'port'))}/sealift.json`
}

/** A clock that can be made to run faster than it does. */
function hurryingClock(): Clock & { hurry(speed: number): void } {
  let [speed, sinceMs, baseMs] = [1, systemClock.monotonicMs(), 0]
  const monotonicMs = (): number => baseMs + (systemClock.monotonicMs() - sinceMs) * speed
  return {
    nowMs: systemClock.nowMs,
    monotonicMs,
    sleep: (ms, signal) => systemClock.sleep(ms / speed, signal),
    hurry(times) {
      ;[baseMs, sinceMs, speed] = [monotonicMs(), systemClock.monotonicMs(), times]
    },
  }
}

/** A download that has some pieces, and is still at it. */
async function begun(site: Release, args: readonly string[] = ['agent']) {
  const stop = new AbortController()
  await serverOf(site).set({ stallAfterBytes: 5 * PIECE_BYTES })
  const ended = site.get(args, { signal: stop.signal })
  await vi.waitUntil(async () => (await piecesKept(site)).size >= 2, { timeout: 20_000, interval: 5 })
  return { stop, ended }
}

describe('a download that is stopped', () => {
  test('keeps what is verified, and the next one asks for the rest alone', async () => {
    const site = await release()
    const audit = join(site.work, 'audit.jsonl')
    const { stop, ended } = await begun(site, ['agent', '--audit', audit])
    stop.abort(new Error('interrupted'))
    expect(await ended).toMatchObject({ exitCode: EXIT.interrupted, err: expect.stringContaining('run the same command again') })
    expect(await site.names()).toEqual([PART, JOURNAL])
    expect(await readFile(audit, 'utf8')).toContain('"kind":"cancelled"')
    const kept = await piecesKept(site)
    serverOf(site).forget()
    await serverOf(site).set('none')
    expect(await site.get()).toMatchObject({ exitCode: EXIT.ok })
    expect(kept.size).toBeGreaterThan(1)
    expect([...piecesAsked(serverOf(site))].filter((piece) => kept.has(piece))).toEqual([])
    expect(await finished(site)).toBe(true)
    expect(await site.names()).toEqual([FILE])
  })

  test('does not trust its own disk: a piece that was altered meanwhile is fetched again', async () => {
    const site = await release()
    const { stop, ended } = await begun(site)
    stop.abort(new Error('interrupted'))
    await ended
    const [altered = -1] = await piecesKept(site)
    const part = await open(join(site.out, PART), 'r+')
    await part.write(Buffer.of((BYTES[altered * PIECE_BYTES + 7] ?? 0) ^ 1), 0, 1, altered * PIECE_BYTES + 7)
    await part.close()
    serverOf(site).forget()
    await serverOf(site).set('none')
    expect(await site.get()).toMatchObject({ exitCode: EXIT.ok })
    expect(piecesAsked(serverOf(site))).toContain(altered)
    expect(await finished(site)).toBe(true)
  })
})

test('an unfinished file that somebody deletes meanwhile is begun anew', async () => {
  const site = await release()
  const { ended } = await begun(site)
  await rm(join(site.out, PART))
  await serverOf(site).set('none')
  expect(await ended).toMatchObject({ exitCode: EXIT.ok })
  expect(await finished(site)).toBe(true)
  expect(await site.names()).toEqual([FILE])
})

test('without a place for what outlives a run it says so, and does nothing', async () => {
  const site = await release()
  expect(await runCli([...site.args(), '--state', '/sys/none'])).toMatchObject({
    exitCode: EXIT.usage,
    err: expect.stringMatching(/path=\/sys\/none.*cannot be written/),
  })
  const state = join(site.work, 'state')
  await site.get()
  const [folder = ''] = await readdir(state)
  await writeFile(join(state, folder, 'records.json'), '{"catalogue')
  expect(await site.get(['agent', '--force'])).toMatchObject({
    exitCode: EXIT.usage,
    err: expect.stringContaining('is damaged. Remove it'),
  })
})

test('what an older version left under the same name is removed, and nothing else is', async () => {
  const site = await release()
  const older = ['part', 'state', `part-${'0'.repeat(16)}`, `state-${'0'.repeat(16)}`].map((what) => `.${FILE}.sealift-${what}`)
  const others = [`.${FILE}.sealift-part-mine`, `.other${FILE}.sealift-part`, `.${FILE}.sealift-parts`, `${FILE}.part`].toSorted()
  for (const name of [...older, ...others]) await writeFile(join(site.out, name), 'x')
  expect(await site.get()).toMatchObject({ exitCode: EXIT.ok })
  expect(await site.names()).toEqual([...others, FILE].toSorted())
})

test('of two that fetch one file the second is told who is at it', async () => {
  const site = await release()
  const { ended } = await begun(site)
  expect(await site.get()).toMatchObject({
    exitCode: EXIT.usage,
    err: expect.stringContaining(`is being fetched by process ${process.pid}`),
  })
  await serverOf(site).set('none')
  expect(await ended).toMatchObject({ exitCode: EXIT.ok })
  expect(await finished(site)).toBe(true)
})

test('a name that is taken while the file is fetched is not taken away', async () => {
  const site = await release()
  const { ended } = await begun(site)
  await writeFile(join(site.out, FILE), 'mine')
  await serverOf(site).set('none')
  expect(await ended).toMatchObject({ exitCode: EXIT.usage, err: expect.stringContaining('came to be there meanwhile') })
  expect(await readFile(join(site.out, FILE), 'utf8')).toBe('mine')
})

test('on a terminal it says how far it is, and from whom', async () => {
  const site = await release()
  const lines: string[] = []
  await site.get(['agent'], { progress: (text) => void lines.push(text) })
  expect(lines).toContainEqual(expect.stringMatching(/^fetching {3}agent 1\.2\.3 [a-z]+\/[a-z0-9]+ \d+ % .* MB\/s from cdn-1$/))
  expect(lines.at(-1)).toBe('')
  lines.length = 0
  await site.get(['agent', '--quiet'], { progress: (text) => void lines.push(text) })
  expect(lines).toEqual([])
})

test.each(['', '@1.0', 'Agent', 'agent@', 'agent@1@2', '../agent', 'sha256:12'])('%j is no name of a file', async (name) => {
  expect(await runCli(['get', name, '--config', 'sealift.json'])).toMatchObject({ exitCode: EXIT.usage })
})
