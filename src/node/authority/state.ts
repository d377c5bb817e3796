import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DeliveryError } from '../../core/errors.ts'
import { createFileDurably, errorCode, writeFileDurably } from '../durable-file.ts'

export interface KeyPair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

export const ROLES = ['certificates', 'certificateLog', 'signatureLog', 'timestamps'] as const
export type Role = (typeof ROLES)[number]

/** DER certificates that witnesses' signatures are checked against. */
export interface AuthorityCertificates {
  readonly certificateRoot: Uint8Array
  readonly timestampRoot: Uint8Array
  readonly timestampLeaf: Uint8Array
}

/** Keys and certificates that live and expire together: a certificate lasts a year. */
export interface Generation {
  readonly startsAtSeconds: number
  readonly endsAtSeconds: number
  readonly keys: Readonly<Record<Role, KeyPair>>
  readonly certificates: AuthorityCertificates
}

const FILE = 'authority.json'
const CERTIFICATES = ['certificateRoot', 'timestampRoot', 'timestampLeaf'] as const

export function generateKeys(): Readonly<Record<Role, KeyPair>> {
  const pair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { certificates: pair(), certificateLog: pair(), signatureLog: pair(), timestamps: pair() }
}

/** What an earlier start left, oldest first; empty at the first start. @throws {DeliveryError} `input-invalid` */
export async function loadGenerations(dir: string): Promise<readonly Generation[]> {
  const path = join(dir, FILE)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw new DeliveryError({ code: 'input-invalid', path, detail: 'cannot be read' }, { cause: error })
  }
  try {
    return parseGenerations(JSON.parse(text))
  } catch {
    // No cause: the parser's message quotes the file, and private keys are in it.
    throw new DeliveryError({ code: 'input-invalid', path, detail: 'is not the state of an authority; move it away to start a new one' })
  }
}

/** Keeps them for later starts, readable by this user alone. False when another process was first to start here. */
export async function saveGenerations(dir: string, generations: readonly Generation[]): Promise<boolean> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const path = join(dir, FILE)
  const text = JSON.stringify({ schema: 1, generations: generations.map(encodeGeneration) }, undefined, 2)
  if (generations.length === 1) return createFileDurably(path, text, { mode: 0o600 })
  await writeFileDurably(path, text, { mode: 0o600 })
  return true
}

function encodeGeneration(generation: Generation): unknown {
  return {
    startsAtSeconds: generation.startsAtSeconds,
    endsAtSeconds: generation.endsAtSeconds,
    keys: Object.fromEntries(ROLES.map((role) => [role, generation.keys[role].privateKey.export({ type: 'pkcs8', format: 'pem' })])),
    certificates: Object.fromEntries(CERTIFICATES.map((name) => [name, Buffer.from(generation.certificates[name]).toString('base64')])),
  }
}

function parseGenerations(value: unknown): readonly Generation[] {
  const state = record(value, 'state')
  if (state['schema'] !== 1) throw new TypeError(`expected schema 1, got ${String(state['schema'])}`)
  const generations = state['generations']
  if (!Array.isArray(generations) || generations.length === 0) throw new TypeError('expected at least one generation')
  return generations.map((generation) => parseGeneration(record(generation, 'generation')))
}

function parseGeneration(generation: Readonly<Record<string, unknown>>): Generation {
  const keys = record(generation['keys'], 'keys')
  const certificates = record(generation['certificates'], 'certificates')
  const pair = (role: Role): KeyPair => {
    const privateKey = createPrivateKey(text(keys[role], role))
    return { privateKey, publicKey: createPublicKey(privateKey) }
  }
  const der = (name: (typeof CERTIFICATES)[number]) => Buffer.from(text(certificates[name], name), 'base64')
  return {
    startsAtSeconds: seconds(generation['startsAtSeconds']),
    endsAtSeconds: seconds(generation['endsAtSeconds']),
    keys: {
      certificates: pair('certificates'),
      certificateLog: pair('certificateLog'),
      signatureLog: pair('signatureLog'),
      timestamps: pair('timestamps'),
    },
    certificates: {
      certificateRoot: der('certificateRoot'),
      timestampRoot: der('timestampRoot'),
      timestampLeaf: der('timestampLeaf'),
    },
  }
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError(`expected an object for ${what}`)
  return Object.fromEntries(Object.entries(value))
}

function text(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new TypeError(`expected text for ${what}`)
  return value
}

function seconds(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new TypeError('expected whole seconds')
  return value
}
