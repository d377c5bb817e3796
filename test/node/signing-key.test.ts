import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { requirePolicy } from '../../src/core/verify/identity-policy.ts'
import { generateSigningKey, readSigningKey, signWithKey } from '../../src/node/signing/signing-key.ts'
import { createSigstoreVerifier } from '../../src/trust/sigstore-verifier.ts'
import { never } from './publish-fixture.ts'
import { temporaryFolder } from './temporary-folder.ts'

const BYTES = Buffer.from('an agent')
const verifier = createSigstoreVerifier()

test('a signature passes under its own key, and under no other', async () => {
  const files = await generateSigningKey(await temporaryFolder())
  const other = await generateSigningKey(await temporaryFolder())
  const bundle = await signWithKey(BYTES, await readFile(files.privateKeyPath, 'utf8'), never)
  const policyOf = (publicKeyPem: string) => requirePolicy([{ kind: 'key', publicKeyPem }], { trustedRoot: undefined })
  const [approval] = await verifier.verify(bundle, sha256Of(BYTES), policyOf(files.publicKeyPem))
  expect(approval?.verdict).toMatchObject({ signer: { kind: 'key' }, form: 'message' })
  await expect(verifier.verify(bundle, sha256Of(BYTES), policyOf(other.publicKeyPem))).rejects.toMatchObject({ code: 'signature-invalid' })
  await expect(verifier.verify(bundle, sha256Of(Buffer.from('x')), policyOf(files.publicKeyPem))).rejects.toMatchObject({
    code: 'subject-mismatch',
  })
})

test('a bundle names its key by hash, and holds no log entry', async () => {
  const files = await generateSigningKey(await temporaryFolder())
  const bundle: unknown = JSON.parse(Buffer.from(await signWithKey(BYTES, await readFile(files.privateKeyPath, 'utf8'), never)).toString())
  const der = createPublicKey(files.publicKeyPem).export({ type: 'spki', format: 'der' })
  const hint = Buffer.from(sha256Of(der), 'hex').toString('base64')
  expect(bundle).toMatchObject({
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint } },
    messageSignature: { messageDigest: { algorithm: 'SHA2_256' } },
  })
})

test('a key is for this user alone, and is never overwritten', async () => {
  const dir = await temporaryFolder()
  const { privateKeyPath } = await generateSigningKey(dir)
  expect((await stat(privateKeyPath)).mode & 0o777).toBe(0o600)
  const before = await readFile(privateKeyPath)
  await expect(generateSigningKey(dir)).rejects.toMatchObject({ code: 'input-invalid' })
  expect(await readFile(privateKeyPath)).toEqual(before)
})

test('keys that no client could check are refused before they sign', async () => {
  const { privateKey } = generateKeyPairSync('ed25519')
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  await expect(signWithKey(BYTES, pem, never)).rejects.toMatchObject({ code: 'input-invalid' })
  await expect(signWithKey(BYTES, 'no key', never)).rejects.toMatchObject({ code: 'input-invalid' })
  await expect(readSigningKey('/nonexistent')).rejects.toMatchObject({ code: 'input-invalid' })
})
