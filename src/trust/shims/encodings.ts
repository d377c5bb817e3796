const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

interface Encoding {
  readonly toBytes: (text: string) => Uint8Array
  readonly toText: (bytes: Uint8Array) => string
}

const ENCODINGS: Readonly<Record<string, Encoding>> = {
  utf8: { toBytes: (text) => encoder.encode(text), toText: (bytes) => decoder.decode(bytes) },
  ascii: { toBytes: asciiToBytes, toText: asciiToText },
  hex: { toBytes: hexToBytes, toText: hexToText },
  base64: { toBytes: base64ToBytes, toText: (bytes) => btoa(binaryOf(bytes)) },
}

/**
 * One of `utf8` (the default), `ascii`, `hex`, `base64`.
 * Unlike Node's, each refuses text that it cannot represent instead of dropping or masking it; invalid UTF-8 decodes to U+FFFD as in Node.
 * @throws {TypeError} for any other name
 */
export function encodingOf(name = 'utf8'): Encoding {
  const key = name.toLowerCase().replace('-', '')
  const encoding = Object.hasOwn(ENCODINGS, key) ? ENCODINGS[key] : undefined
  if (encoding === undefined) throw new TypeError(`unsupported encoding ${name}`)
  return encoding
}

function asciiToBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => requireAscii(character.charCodeAt(0)))
}

function asciiToText(bytes: Uint8Array): string {
  for (const byte of bytes) requireAscii(byte)
  return binaryOf(bytes)
}

function requireAscii(code: number): number {
  if (code > 127) throw new TypeError('not ASCII')
  return code
}

function hexToBytes(text: string): Uint8Array {
  if (text.length % 2 !== 0 || /[^0-9a-f]/i.test(text)) throw new TypeError('not hexadecimal')
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16))
}

function hexToText(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}

function base64ToBytes(text: string): Uint8Array {
  const binary = decodeBase64(text.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(binary, (character) => character.charCodeAt(0))
}

function decodeBase64(text: string): string {
  try {
    return atob(text)
  } catch (error) {
    throw new TypeError('not base64', { cause: error })
  }
}

function binaryOf(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}
