/** The SHA-256 of a DTLS certificate as session descriptions write it (RFC 8122 section 5). */

import { toHex } from '../verify/digest.ts'

const FINGERPRINT = /^sha-256 ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})$/i

/** @param value what follows `a=fingerprint:`, whoever wrote it. @returns 32 bytes; undefined for any other hash, or none */
export function readFingerprint(value: string): Uint8Array<ArrayBuffer> | undefined {
  const hex = FINGERPRINT.exec(value)?.[1]
  return hex === undefined ? undefined : Uint8Array.from(hex.split(':'), (pair) => Number.parseInt(pair, 16))
}

export function writeFingerprint(fingerprint: Uint8Array): string {
  return `sha-256 ${(toHex(fingerprint).toUpperCase().match(/../g) ?? []).join(':')}`
}
