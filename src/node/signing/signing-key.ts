import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DeliveryError } from '../../core/errors.ts'
import { createFileDurably } from '../durable-file.ts'
import { readInput } from '../input-file.ts'
import { encodeMessageBundle, signContent, type VerificationMaterial } from './bundle-json.ts'
import { contentOfBytes, type Content } from './content.ts'

/** A signing key that lies on this machine. */
export interface SigningKey {
  readonly publicKeyPem: string
  /** Public-key bundle v0.3, as cosign makes with a local key and no log. */
  signContent(content: Content, signal: AbortSignal): Promise<Uint8Array>
}

export interface SigningKeyFiles {
  readonly privateKeyPath: string
  readonly publicKeyPath: string
  readonly publicKeyPem: string
}

/**
 * Makes a P-256 key pair in `dir`: `signing-key.pem` for this user alone, `signing-key.pub` to give away.
 * @throws {DeliveryError} `input-invalid` when a key is there already: it is never overwritten
 * @example
 * const { publicKeyPath } = await generateSigningKey('keys')
 * console.log(publicKeyPath)
 */
export async function generateSigningKey(dir: string): Promise<SigningKeyFiles> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const privateKeyPath = join(dir, 'signing-key.pem')
  const publicKeyPath = join(dir, 'signing-key.pub')
  const publicKeyPem = toPublicPem(publicKey)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' })
  if (!(await createFileDurably(privateKeyPath, privateKeyPem, { mode: 0o600 }))) {
    throw new DeliveryError({
      code: 'input-invalid',
      path: privateKeyPath,
      detail: 'there is a key already, and it is not overwritten',
    })
  }
  await createFileDurably(publicKeyPath, publicKeyPem, { mode: 0o644 })
  return { privateKeyPath, publicKeyPath, publicKeyPem }
}

/**
 * @throws {DeliveryError} `input-invalid` when the file is missing or not a private P-256 key in PEM
 * @example
 * console.log((await readSigningKey('keys/signing-key.pem')).publicKeyPem)
 */
export async function readSigningKey(path: string): Promise<SigningKey> {
  return parseSigningKey(await readInput(path, (file) => readFile(file, 'utf8')), path)
}

/**
 * @param pem unencrypted private key, PKCS #8 or SEC 1. ECDSA on P-256: bundles of other curves and of Ed25519 cannot
 * be checked from a digest alone
 * @param path named in errors
 * @throws {DeliveryError} `input-invalid`
 * @example
 * console.log(parseSigningKey(process.env['SIGNING_KEY'] ?? '', 'SIGNING_KEY').publicKeyPem)
 */
export function parseSigningKey(pem: string, path = 'private key'): SigningKey {
  const privateKey = openPrivateKey(pem, path)
  if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new DeliveryError({
      code: 'input-invalid',
      path,
      detail: 'expected a key on the curve P-256',
    })
  }
  const publicKey = createPublicKey(privateKey)
  const material = toMaterial(publicKey)
  return {
    publicKeyPem: toPublicPem(publicKey),
    async signContent(content, signal) {
      const signature = await signContent(content, privateKey, signal)
      return encodeMessageBundle({ sha256: content.sha256, signature }, material)
    },
  }
}

/**
 * Public-key bundle v0.3 over bytes. @throws {DeliveryError} `input-invalid` as `parseSigningKey`
 * @example
 * import { readFile, writeFile } from 'node:fs/promises'
 *
 * const [bytes, key] = await Promise.all([readFile('catalogue.payload'), readFile('keys/signing-key.pem', 'utf8')])
 * await writeFile('catalogue.sigstore.json', await signWithKey(bytes, key, AbortSignal.timeout(10_000)))
 */
export async function signWithKey(bytes: Uint8Array, privateKeyPem: string, signal: AbortSignal): Promise<Uint8Array> {
  return parseSigningKey(privateKeyPem).signContent(contentOfBytes(bytes), signal)
}

function openPrivateKey(pem: string, path: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (error) {
    const detail = 'expected an unencrypted private key in PEM; for a cosign key, sign with cosign and attach its bundle'
    throw new DeliveryError({ code: 'input-invalid', path, detail }, { cause: error })
  }
}

function toMaterial(publicKey: KeyObject): VerificationMaterial {
  const der = publicKey.export({ type: 'spki', format: 'der' })
  return { publicKey: { hint: createHash('sha256').update(der).digest('base64') } }
}

function toPublicPem(publicKey: KeyObject): string {
  return publicKey.export({ type: 'spki', format: 'pem' }).toString()
}
