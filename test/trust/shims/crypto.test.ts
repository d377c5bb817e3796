import * as native from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createHash, createPublicKey, timingSafeEqual, verify } from '../../../src/trust/shims/crypto.ts'
import { parseSpki, pemToSpki } from '../../../src/trust/shims/public-key.ts'

const message = Buffer.from('what was signed')
const other = Buffer.from('something else')
const ec = (namedCurve: string) => native.generateKeyPairSync('ec', { namedCurve })
const flipped = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes)
  copy.writeUInt8(copy.readUInt8((at >> 3) % copy.length) ^ (1 << (at & 7)), (at >> 3) % copy.length)
  return copy
}
/** A signature that is no DER any more is refused by a throw, as in Node. */
const isGoodOrThrows = (ask: () => boolean): boolean => {
  try {
    return ask()
  } catch {
    return false
  }
}
const rsa = (modulusLength: number) => native.generateKeyPairSync('rsa', { modulusLength })
const spki = (key: native.KeyObject) => key.export({ type: 'spki', format: 'der' })

describe.each(['P-256', 'P-384', 'P-521'])('an ECDSA key on %s', (curve) => {
  const { publicKey, privateKey } = ec(curve)
  const key = createPublicKey({ key: spki(publicKey), format: 'der', type: 'spki' })

  test.each(['sha256', 'sha384', 'sha512'])('verifies what it signed over %s, and nothing else', (hash) => {
    const signature = native.sign(hash, message, privateKey)
    expect(verify(hash, message, key, signature)).toBe(true)
    expect(verify(hash, other, key, signature)).toBe(false)
    expect(verify(hash === 'sha256' ? 'sha512' : 'sha256', message, key, signature)).toBe(false)
  })

  test('takes SHA-256 when no hash is named, as Node does', () => {
    expect(verify(undefined, message, key, native.sign('sha256', message, privateKey))).toBe(true)
    expect(verify(undefined, message, key, native.sign('sha384', message, privateKey))).toBe(false)
  })

  test('verifies signatures of either half, since signers use both', () => {
    for (let i = 0; i < 16; i++) expect(verify('sha256', message, key, native.sign('sha256', message, privateKey))).toBe(true)
  })

  test('refuses a signature that is followed by a byte', () => {
    const signature = Buffer.concat([native.sign('sha256', message, privateKey), Buffer.from([0])])
    expect(verify('sha256', message, key, signature)).toBe(false)
  })

  test('verifies a signature again and again, and in between nothing that differs from it in a bit, nor for another key', () => {
    const signature = native.sign('sha256', message, privateKey)
    const stranger = createPublicKey({ key: spki(ec(curve).publicKey), format: 'der', type: 'spki' })
    fc.assert(
      fc.property(fc.constantFrom('nothing', 'message', 'signature', 'key'), fc.nat(), (changed, at) => {
        const asked = [changed === 'message' ? flipped(message, at) : message, changed === 'key' ? stranger : key] as const
        const isGood = (): boolean => verify('sha256', ...asked, changed === 'signature' ? flipped(signature, at) : signature)
        if (changed === 'nothing') expect(isGood()).toBe(true)
        else expect(isGoodOrThrows(isGood)).toBe(false)
      }),
      { numRuns: 40 },
    )
  })

  test('gives back the key that it was made of', () => {
    expect(Buffer.from(key.export()).equals(spki(publicKey))).toBe(true)
  })
})

describe('an Ed25519 key', () => {
  const { publicKey, privateKey } = native.generateKeyPairSync('ed25519')
  const key = createPublicKey(publicKey.export({ type: 'spki', format: 'pem' }).toString())

  test('verifies what it signed, and nothing else', () => {
    const signature = native.sign(null, message, privateKey)
    expect(verify(undefined, message, key, signature)).toBe(true)
    expect(verify(undefined, other, key, signature)).toBe(false)
  })

  test('takes no hash, as in Node', () => {
    expect(() => verify('sha256', message, key, native.sign(null, message, privateKey))).toThrow('takes no digest')
  })
})

describe('an RSA key', () => {
  const { publicKey, privateKey } = rsa(2048)
  const key = createPublicKey({ key: spki(publicKey), format: 'der', type: 'spki' })

  test.each(['sha256', 'sha384', 'sha512'])('verifies what it signed over %s, and nothing else', (hash) => {
    const signature = native.sign(hash, message, privateKey)
    expect(verify(hash, message, key, signature)).toBe(true)
    expect(verify(hash, other, key, signature)).toBe(false)
    expect(verify(hash, message, key, Buffer.concat([Buffer.from([0]), signature]))).toBe(false)
    expect(verify(hash, message, key, Buffer.alloc(signature.length, 0xff))).toBe(false)
  })

  test('refuses the same signature with the modulus added, which has the same remainder', () => {
    const pair = roomyRsa()
    const roomy = createPublicKey({ key: spki(pair.publicKey), format: 'der', type: 'spki' })
    const sums = Array.from({ length: 64 }, (_, i) => {
      const text = Buffer.from(String(i))
      return {
        text,
        hex: (BigInt(`0x${native.sign('sha256', text, pair.privateKey).toString('hex')}`) + modulusOf(pair.publicKey)).toString(16),
      }
    })
    const fitting = sums.find(({ hex }) => hex.length === 512)
    expect(fitting).toBeDefined()
    expect(verify('sha256', fitting?.text ?? message, roomy, Buffer.from(fitting?.hex ?? '', 'hex'))).toBe(false)
  })

  test('is read in the older form too, and is then not given back', () => {
    const older = createPublicKey({ key: publicKey.export({ type: 'pkcs1', format: 'der' }), format: 'der', type: 'pkcs1' })
    expect(verify('sha256', message, older, native.sign('sha256', message, privateKey))).toBe(true)
    expect(() => older.export()).toThrow('not exported')
  })

  test('of 1024 bits verifies nothing', () => {
    const short = rsa(1024)
    const weak = createPublicKey({ key: spki(short.publicKey), format: 'der', type: 'spki' })
    expect(verify('sha256', message, weak, native.sign('sha256', message, short.privateKey))).toBe(false)
  })
})

/** A key with a modulus well below the largest of its length, so that a third of all numbers still fit with it added. */
function roomyRsa(): ReturnType<typeof rsa> {
  for (;;) {
    const pair = rsa(2048)
    if (modulusOf(pair.publicKey) >> 2046n === 2n) return pair
  }
}

function modulusOf(key: native.KeyObject): bigint {
  return BigInt(`0x${Buffer.from(key.export({ format: 'jwk' }).n ?? '', 'base64url').toString('hex')}`)
}

describe('a key that is malformed', () => {
  const der = spki(ec('P-256').publicKey)
  const longPart = Buffer.from(der)
  longPart.writeUInt8(longPart.readUInt8(24) + 1, 24)
  const offCurve = Buffer.from(der)
  offCurve.writeUInt8(offCurve.readUInt8(der.length - 1) ^ 1, der.length - 1)

  test.each([
    ['is empty', Buffer.alloc(0)],
    ['is cut short', der.subarray(0, -1)],
    ['is followed by a byte', Buffer.concat([der, Buffer.from([0])])],
    ['has a part that is longer than the rest', longPart],
    ['is not on its curve', offCurve],
    ['is on another curve', spki(ec('secp256k1').publicKey)],
    ['is for another use', spki(native.generateKeyPairSync('x25519').publicKey)],
    ['has a length of more bytes than needed', Buffer.concat([Buffer.from([0x30, 0x81]), der.subarray(1)])],
  ])('is refused when it %s', (_, bytes) => {
    expect(() => parseSpki(bytes)).toThrow()
  })

  test('is refused, whatever its bytes, with an Error', () => {
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const bytes = Buffer.from(der)
        bytes.writeUInt8(bytes.readUInt8(at) ^ mask, at)
        expect(() => parseSpki(bytes)).toThrow(Error)
      }),
    )
  })

  test.each([
    '',
    'not a key',
    '-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----',
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
  ])('is refused as PEM: %j', (pem) => {
    expect(() => parseSpki(pemToSpki(pem))).toThrow(TypeError)
  })
})

test('hashes as Node does, in one part or in several', () => {
  fc.assert(
    fc.property(fc.constantFrom('sha224', 'sha256', 'sha384', 'sha512'), fc.array(fc.uint8Array()), (algorithm, parts) => {
      const ours = createHash(algorithm)
      const theirs = native.createHash(algorithm)
      for (const part of parts) {
        ours.update(part)
        theirs.update(part)
      }
      expect(ours.digest().toString('hex')).toBe(theirs.digest('hex'))
    }),
  )
})

test('knows no hash but SHA-2', () => {
  expect(() => createHash('sha1')).toThrow('unsupported hash')
  expect(() => createHash('md5')).toThrow('unsupported hash')
})

test('tells bytes that differ from bytes that are the same', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1 }), fc.nat(), fc.integer({ min: 1, max: 255 }), (bytes, at, mask) => {
      const changed = Uint8Array.from(bytes, (byte, i) => (i === at % bytes.length ? byte ^ mask : byte))
      expect(timingSafeEqual(bytes, Uint8Array.from(bytes))).toBe(true)
      expect(timingSafeEqual(bytes, changed)).toBe(false)
    }),
  )
  expect(() => timingSafeEqual(new Uint8Array(1), new Uint8Array(2))).toThrow(RangeError)
})
