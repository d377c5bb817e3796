/** In place of `randombytes`: simple-peer only wants names for itself and its channel, in hex. */
export function randomBytes(length: number): { toString(): string } {
  const bytes = crypto.getRandomValues(new Uint8Array(length))
  return { toString: () => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('') }
}
