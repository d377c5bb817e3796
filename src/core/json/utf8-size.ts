/** True when `text` takes at most `limitBytes` as UTF-8. Encodes only what cannot be told from its length. */
export function fitsUtf8(text: string, limitBytes: number): boolean {
  if (text.length > limitBytes) return false
  return text.length * 3 <= limitBytes || new TextEncoder().encode(text).length <= limitBytes
}
