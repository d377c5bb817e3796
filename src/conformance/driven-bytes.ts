/**
 * Bytes as they arrive from whoever drives a browser: binary data, a string (its UTF-8), a list of numbers, or what is left of binary data
 * that was sent as JSON: `{"0":1,"1":2}` of a typed array, `{"type":"Buffer","data":[1,2]}` of Node's. Undefined for anything else.
 */
export function bytesOf(value: unknown): Uint8Array | undefined {
  if (typeof value === 'string') return new TextEncoder().encode(value)
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  if (Array.isArray(value)) return ofNumbers(value)
  if (typeof value !== 'object' || value === null) return undefined
  if ('type' in value && value.type === 'Buffer' && 'data' in value && Array.isArray(value.data)) return ofNumbers(value.data)
  return ofIndexes(value)
}

function ofIndexes(value: object): Uint8Array | undefined {
  const entries = Object.entries(value)
  // Whole numbers come first and in order, whatever else there is.
  return entries.length > 0 && entries.every(([key], i) => key === String(i)) ? ofNumbers(entries.map(([, byte]) => byte)) : undefined
}

function ofNumbers(list: readonly unknown[]): Uint8Array | undefined {
  const bytes = new Uint8Array(list.length)
  for (const [i, byte] of list.entries()) {
    if (typeof byte !== 'number' || !Number.isInteger(byte) || byte < 0 || byte > 255) return undefined
    bytes[i] = byte
  }
  return bytes
}
