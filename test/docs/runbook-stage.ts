import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseSiteConfig } from '../../src/core/manifest/parse-site-config.ts'
import { writeTrust } from '../../src/core/manifest/trust-field.ts'
import { readSigningKey } from '../../src/node/signing/signing-key.ts'
import { chainOf } from '../core/audit/chain.ts'
import { runCli } from '../cli/run-cli.ts'
import { bytesOf } from '../node/publish-fixture.ts'
import { PORTAL, startMirror, type Mirror } from '../probe/mirror.ts'
import { newSigningKey, trustIn, updatesBy } from '../trust/trust-updates.ts'

/** What the runbooks take for granted, in the working folder. */
export interface Stage {
  /** What of a page is called what here. */
  readonly standIns: readonly (readonly [string, string])[]
  /** Brings about what the label of a block says. @throws {TypeError} nobody here knows how */
  bringAbout(label: string): Promise<void>
  /** Writes what somebody writes by hand before this command. */
  prepare(words: readonly string[]): Promise<void>
}

/** @param page decides what stands already: for the set-up, nothing does */
export async function openStage(page: string): Promise<Stage> {
  await writeFiles({
    'releases/agent-1.2.3-linux-amd64.tar.gz': bytesOf(100_000),
    'next/agent-1.3.0-linux-amd64.tar.gz': bytesOf(70_000),
    'public/index.html': 'a portal',
    'exports/monday.jsonl': `${chainOf({}, {}).join('\n')}\n`,
    'exports/friday.jsonl': `${chainOf({ id: 'another' }).join('\n')}\n`,
  })
  const eu = await startMirror(join(process.cwd(), 'mirrors/eu'))
  const us = await startMirror(join(process.cwd(), 'mirrors/us'))
  const hosts = ['eu.example', 'us.example', 'gateway.lan.example', 'seed.lan.example']
  if (page !== 'setup.md') await setUp(eu, us, page === 'key-compromise.md' ? 'release-1' : 'keys')
  if (page === 'key-compromise.md') await letTwoChangeTrust()
  return {
    standIns: [
      ['https://eu.example/', eu.url],
      ['https://us.example/', us.url],
      ...hosts.map((host) => [`ssh://deploy@${host}/srv/sealift`, `mirrors/${host.split('.')[0]}`] as const),
    ],
    bringAbout: async (label) => await bringAbout(label, eu),
    prepare: async (words) => {
      if (words.includes('stolen.json')) await writeSection('stolen.json', 'release-2')
    },
  }
}

async function writeFiles(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(path, '..'), { recursive: true })
    await writeFile(path, content)
  }
}

async function sealift(...args: readonly string[]): Promise<void> {
  const result = await runCli(args)
  if (result.exitCode !== 0) throw new Error(`sealift ${args.join(' ')}\n${result.out}${result.err}`)
}

/** As docs/runbooks/setup.md does, in short. */
async function setUp(eu: Mirror, us: Mirror, key: string): Promise<void> {
  const origins = ['--origin', `eu=${eu.url}`, '--origin', `us=${us.url}`]
  const trust = ['--public-key', `${key}/signing-key.pub`]
  await sealift('keygen', key)
  await sealift('publish', 'releases', '--out', 'site', '--repository', 'acme', '--key', `${key}/signing-key.pem`, ...origins)
  await sealift('init', 'public', '--repository', 'acme', ...origins, ...trust, '--shell', 'index.html')
  await sealift('push', 'site', '--to', 'mirrors/eu', '--to', 'mirrors/us', ...trust)
}

/** The portal trusts `release-1` until Alice and Bob say otherwise. */
async function letTwoChangeTrust(): Promise<void> {
  for (const name of ['alice', 'bob']) await sealift('keygen', name)
  const own: object = JSON.parse(await readFile('public/sealift.json', 'utf8'))
  await writeSection('section.json', 'release-1')
  await writeFile('public/sealift.json', JSON.stringify({ ...own, trust: JSON.parse(await readFile('section.json', 'utf8')) as unknown }))
}

/** A trust section under which this key signs, and under which those who may change it are who they were. */
async function writeSection(path: string, keyFolder: string): Promise<void> {
  const { updates } = parseSiteConfig(await readFile('public/sealift.json'), `${PORTAL}/`).trust
  const keys = [...(await Promise.all(['alice', 'bob'].map((name) => readSigningKey(`${name}/signing-key.pem`)))), newSigningKey()]
  const key = await readSigningKey(`${keyFolder}/signing-key.pem`)
  await writeFile(path, JSON.stringify(writeTrust(trustIn(key, updates ?? updatesBy(keys, 2)))))
}

async function bringAbout(label: string, eu: Mirror): Promise<void> {
  switch (label) {
    case '':
      return
    case 'while eu is down':
      eu.fault = ({ socket }) => socket.destroy().destroyed
      return
    case 'once eu is back':
      eu.fault = undefined
      return
    case 'while eu rots':
      eu.fault = undefined
      return await rot(eu.site)
    default:
      throw new TypeError(`nobody knows how to bring about: ${label}`)
  }
}

/** One bit of the largest file is another, once. */
async function rot(site: string): Promise<void> {
  const folder = join(site, 'by-hash/sha256')
  const files = await Promise.all(
    (await readdir(folder)).map(async (name) => ({ path: join(folder, name), size: (await stat(join(folder, name))).size })),
  )
  const largest = files.toSorted((a, b) => b.size - a.size)[0]
  if (largest === undefined) throw new TypeError('expected a file')
  const bytes = await readFile(largest.path)
  bytes[0] = (bytes[0] ?? 0) ^ 1
  await writeFile(largest.path, bytes)
}
