import { createContext, runInContext } from 'node:vm'
import type { SignatureVerifier } from '../../src/core/ports.ts'

/**
 * The verifier as browsers get it: a script on the stand-ins for Node's cryptography, in a global of its own with the few things
 * that it needs of a worker's.
 *
 * @param code what `bundleForBrowser` makes of the verifier, under the name `built`
 */
export function openVerifier(code: string): SignatureVerifier {
  const verifier: SignatureVerifier = runInContext(
    `${code};built.createSigstoreVerifier()`,
    createContext({ TextEncoder, TextDecoder, atob, btoa }),
  )
  return verifier
}
