import { createContext, runInContext } from 'node:vm'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { bundleForBrowser } from '../../scripts/bundle-for-browser.mjs'
import { makeSigner, respelled, TufRepository, type KeyKind, type Signer } from './tuf-repository.ts'

const code = await bundleForBrowser({ entry: fileURLToPath(new URL('../../src/tuf/trusted.ts', import.meta.url)), name: 'built' })

/** All that it needs of a page's global, and nothing of Node. */
const global = createContext({ TextEncoder, TextDecoder, atob, btoa })
runInContext(code, global)

/** What the script that browsers get makes of a pinned root and the one after it. */
function verdictInside(pinned: Buffer, next: Buffer): unknown {
  Object.assign(global, { pinned: Uint8Array.from(pinned), next: Uint8Array.from(next) })
  return runInContext(
    `(() => { try { return 'version ' + built.acceptRoot(built.trustPinned(pinned), next).root.signed.version }
              catch (error) { return error.failure ? error.failure.reason + ': ' + error.failure.detail : String(error) } })()`,
    global,
  )
}

function rotated(signer: Signer, spoil: (next: Buffer) => Buffer = (next) => next): unknown {
  const repository = new TufRepository({ root: { signers: [signer] } })
  return verdictInside(repository.rotate(), spoil(repository.rotate()))
}

/** As `tuf-on-ci` and older tools write keys: the bare point. */
const bare = (signer: Signer, bytes: number): Signer =>
  respelled(signer, signer.key.keyID, (pem) =>
    Buffer.from(pem.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64')
      .subarray(-bytes)
      .toString('hex'),
  )

const KINDS: readonly (readonly [KeyKind, number])[] = [
  ['p256', 65],
  ['p384', 97],
  ['ed25519', 32],
]

describe('the script that browsers get', () => {
  test.each(KINDS)('takes what %s has signed, in whatever spelling of the key', (kind, bytes) => {
    const signer = makeSigner(kind)
    expect(rotated(signer)).toBe('version 2')
    expect(rotated(bare(signer, bytes))).toBe('version 2')
  })

  test.each(KINDS)('refuses what was changed after %s signed it', (kind) => {
    const spoil = (next: Buffer): Buffer => Buffer.from(next.toString().replace('"version":2', '"version":3'))
    expect(rotated(makeSigner(kind), spoil)).toBe('signatures: 0 of the 1 keys that version 1 of the root asks for')
  })

  test.each(KINDS)('refuses a signature of %s with a bit flipped', (kind) => {
    const spoil = (next: Buffer): Buffer => {
      const file = JSON.parse(next.toString()) as { signatures: { sig: string }[] }
      const [first] = file.signatures
      const sig = Buffer.from(first?.sig ?? '', 'hex')
      sig[sig.length - 1]! ^= 1
      Object.assign(first ?? {}, { sig: sig.toString('hex') })
      return Buffer.from(JSON.stringify(file))
    }
    expect(rotated(makeSigner(kind), spoil)).toBe('signatures: 0 of the 1 keys that version 1 of the root asks for')
  })

  test('counts no RSA key, as Node does not', () => {
    const { key } = makeSigner('rsa')
    expect(rotated({ key, privateKey: makeSigner('rsa').privateKey })).toContain('rsassa-pss-sha256')
  })

  test('asks for no module and evaluates no text, so that a strict content policy allows it', () => {
    for (const form of [/\brequire\s*\(\s*["'`]/, /\bimport\s*[("'`{*]/, /\beval\s*\(/, /\bnew Function\b/])
      expect(code.search(form)).toBe(-1)
  })

  test('carries no matcher of paths, since it follows no delegation', () => {
    expect(code).not.toContain('globstar')
  })
})
