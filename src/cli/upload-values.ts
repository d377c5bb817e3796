import { InvalidArgumentError } from 'commander'
import { isUploadRate, UPLOAD_BOUNDS } from '../core/plan/upload-limits.ts'
import { parseBytes, parseInteger } from './values.ts'

/** Peers that are served at the same time, as a site may say it too. */
export function parseUploadSlots(text: string): number {
  const slots = parseInteger(text)
  if (slots < 1 || slots > UPLOAD_BOUNDS.slots) throw new InvalidArgumentError(`Expected 1 to ${UPLOAD_BOUNDS.slots}.`)
  return slots
}

/** `8M` or plain bytes, in bytes a second; 0: nothing leaves the local network. */
export function parseUploadRate(text: string): number {
  const rate = parseBytes(text)
  const { bytesPerSecondLeast: least, bytesPerSecondMost: most } = UPLOAD_BOUNDS
  if (!isUploadRate(rate)) throw new InvalidArgumentError(`Expected 0, or ${least} to ${most} bytes a second.`)
  return rate
}
