import { constants } from 'node:fs'
import { access, open, stat, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AUDIT_LIMITS } from '../../core/audit/audit-limits.ts'
import { parseAuditRecord } from '../../core/audit/parse-audit-record.ts'
import { DeliveryError } from '../../core/errors.ts'
import type { AuditLog } from '../../stores/index-values.ts'
import { errorCode } from '../durable-file.ts'
import { diskTrouble } from './disk-trouble.ts'

const NEWLINE = 10

/**
 * A file of audit records, as a browser exports them: each follows on the one before it, whatever program wrote that.
 * @throws {DeliveryError} `input-invalid` when it cannot be written to, or ends with what is no record
 */
export async function openAuditFile(path: string): Promise<AuditLog> {
  await requireWritable(path)
  const log: AuditLog = {
    async last() {
      const bytes = await readLastLine(path)
      if (bytes !== undefined) requireRecord(path, bytes)
      return bytes
    },
    async append(bytes) {
      try {
        const handle = await open(path, 'a')
        try {
          await appendWhole(handle, Buffer.concat([bytes, Buffer.of(NEWLINE)]))
        } finally {
          await handle.close()
        }
      } catch (error) {
        throw diskTrouble(error, { path, neededBytes: bytes.length })
      }
    },
    // A browser hands out what it keeps. Here the file itself is that.
    all: async () => [],
  }
  // Said before a long download, and not after it.
  await log.last(new AbortController().signal)
  return log
}

/** All of it or nothing: after half a record nobody could add another. */
async function appendWhole(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  const { size } = await handle.stat()
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } catch (error) {
    // Where that fails too, the next run says what is wrong with the file.
    await handle.truncate(size).catch(() => undefined)
    throw error
  }
}

async function requireWritable(path: string): Promise<void> {
  try {
    await access(path, constants.R_OK | constants.W_OK)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw diskTrouble(error, { path, neededBytes: 0 })
    await access(dirname(path), constants.W_OK).catch((cause: unknown) => {
      throw diskTrouble(cause, { path: dirname(path), neededBytes: 0 })
    })
  }
}

async function readLastLine(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  let handle: FileHandle
  try {
    handle = await open(path, 'r')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw diskTrouble(error, { path, neededBytes: 0 })
  }
  try {
    const { size } = await stat(path)
    const length = Math.min(size, AUDIT_LIMITS.recordBytes + 2)
    if (length === 0) return undefined
    const { buffer } = await handle.read(new Uint8Array(length), 0, length, size - length)
    // Without its line feed the next record would stand in the same line.
    if (buffer[length - 1] !== NEWLINE) throw notRecords(path, 'its last line is not ended: a record was cut off while it was written')
    return buffer.slice(buffer.lastIndexOf(NEWLINE, length - 2) + 1, length - 1)
  } finally {
    await handle.close()
  }
}

function requireRecord(path: string, bytes: Uint8Array): void {
  try {
    parseAuditRecord(bytes)
  } catch (error) {
    if (!(error instanceof DeliveryError)) throw error
    throw notRecords(path, 'its last line is no audit record', error)
  }
}

function notRecords(path: string, what: string, cause?: unknown): DeliveryError {
  const detail = `cannot be added to: ${what}. Name another file with --audit`
  return new DeliveryError({ code: 'input-invalid', path, detail }, { cause })
}
