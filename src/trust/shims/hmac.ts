/** Stands in for HMAC where curves would only need it to sign. @throws {Error} always */
export function hmac(): never {
  throw new Error('nothing is signed here')
}
