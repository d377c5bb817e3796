/** `crypto.ts`, and what the models of The Update Framework ask besides: what kind of key it is, and to verify with one that is wrapped in options. */

import * as plain from './crypto.ts'

/** Curves by the names that Node has for them. */
const NODE_CURVES: Readonly<Record<string, string>> = { 'P-256': 'prime256v1', 'P-384': 'secp384r1', 'P-521': 'secp521r1' }

export { createHash, timingSafeEqual } from './crypto.ts'

/** Named by what asks for RSA-PSS, which is not verified here. */
export const constants = { RSA_PKCS1_PSS_PADDING: 6 } as const

export class KeyObject extends plain.KeyObject {
  get asymmetricKeyType(): string {
    return this.parsed.kind
  }

  get asymmetricKeyDetails(): { readonly namedCurve?: string | undefined } {
    return this.parsed.kind === 'ec' ? { namedCurve: NODE_CURVES[this.parsed.curve] } : {}
  }
}

/** From PEM text or DER. @throws {Error} when malformed or unsupported */
export function createPublicKey(input: Parameters<typeof plain.createPublicKey>[0]): KeyObject {
  return new KeyObject(plain.createPublicKey(input).parsed, undefined)
}

interface KeyInput {
  readonly key: KeyObject
  readonly padding?: number | undefined
}

/** As Node, without RSA-PSS. @throws {TypeError} when a padding is asked for; as `crypto.ts` */
export function verify(algorithm: string | undefined, data: Uint8Array, input: KeyInput, signature: Uint8Array): boolean {
  if (input.padding !== undefined) throw new TypeError('RSA-PSS is not verified here')
  return plain.verify(algorithm, data, input.key, signature)
}
