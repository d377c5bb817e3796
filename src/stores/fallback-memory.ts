import type { Sha256 } from '../core/model/ids.ts'
import type { AuditLog, Documents, Records } from './index-values.ts'
import { isStorageTrouble } from './store-failure.ts'
import { createVolatileMemory, type Memory } from './volatile-index.ts'

/**
 * Keeps in `lasting` what can be kept there, and the rest in this context's memory, so that a full or broken disk fails no download:
 * what is read is always what was written last here. Nothing that went to memory outlives the context, and other tabs do not see it.
 * Failures other than `quota-exceeded` and `store-failed` pass.
 */
export function createFallbackMemory(lasting: Memory): Memory {
  const spare = createVolatileMemory()
  return {
    documents: createFallbackDocuments(lasting.documents, spare.documents),
    records: createFallbackRecords(lasting.records, spare.records),
    audit: createFallbackAudit(lasting.audit, spare.audit),
  }
}

function createFallbackDocuments(lasting: Documents, spare: Documents): Documents {
  const removed = new Set<Sha256>()
  return {
    async get(sha256, signal) {
      const kept = await spare.get(sha256, signal)
      if (kept !== undefined || removed.has(sha256)) return kept
      // What cannot be read is fetched again.
      return await attempt(() => lasting.get(sha256, signal), signal).then(valueOf)
    },
    async put(sha256, bytes, signal) {
      removed.delete(sha256)
      const outcome = await attempt(() => lasting.put(sha256, bytes, signal), signal)
      if (outcome.isDone) await spare.remove(sha256, signal)
      else await spare.put(sha256, bytes, signal)
    },
    async remove(sha256, signal) {
      await spare.remove(sha256, signal)
      const outcome = await attempt(() => lasting.remove(sha256, signal), signal)
      if (!outcome.isDone) removed.add(sha256)
    },
  }
}

function createFallbackRecords(lasting: Records, spare: Records): Records {
  /**
   * Keys that `lasting` knows nothing of any more: what it has is older than what was written here, or newer and from another tab.
   * They stay ours: a value that builds on ours could set the other tab's back.
   */
  const ours = new Set<string>()
  /** Keys that could not be read. Writing blindly could set the catalogue's floor back for good. */
  const unread = new Set<string>()
  const putAll: Records['putAll'] = async (entries, signal) => {
    const isApart = [...entries.keys()].some((key) => ours.has(key) || unread.has(key))
    const outcome = isApart ? FAILED : await attempt(() => lasting.putAll(entries, signal), signal)
    if (outcome.isDone) return
    // Together there too: half of them from here and half from there would be no state that ever was.
    for (const key of entries.keys()) ours.add(key)
    await spare.putAll(entries, signal)
  }
  return {
    async get(key, signal) {
      if (ours.has(key)) return await spare.get(key, signal)
      const outcome = await attempt(() => lasting.get(key, signal), signal)
      if (outcome.isDone) unread.delete(key)
      else unread.add(key)
      return valueOf(outcome)
    },
    put: (key, value, signal) => putAll(new Map([[key, value]]), signal),
    putAll,
    async remove(key, signal) {
      await spare.remove(key, signal)
      const outcome = await attempt(() => lasting.remove(key, signal), signal)
      if (!outcome.isDone) ours.add(key)
    },
    twin: async (key, signal) => await lasting.twin?.(key, signal),
    async keys(signal) {
      const outcome = await attempt(() => lasting.keys(signal), signal)
      const kept = (valueOf(outcome) ?? []).filter((key) => !ours.has(key))
      return [...kept, ...(await spare.keys(signal))]
    },
  }
}

/** Once a record could not be kept, those after it are not either: each names the one before it, and a gap would look like tampering. */
function createFallbackAudit(lasting: AuditLog, spare: AuditLog): AuditLog {
  let isCut = false
  return {
    async append(bytes, signal) {
      const outcome = isCut ? FAILED : await attempt(() => lasting.append(bytes, signal), signal)
      if (outcome.isDone) return
      isCut = true
      await spare.append(bytes, signal)
    },
    async last(signal) {
      const ours = await spare.last(signal)
      if (ours !== undefined) return ours
      const outcome = await attempt(() => lasting.last(signal), signal)
      if (!outcome.isDone) isCut = true
      return valueOf(outcome)
    },
    async all(signal) {
      const outcome = await attempt(() => lasting.all(signal), signal)
      return [...(valueOf(outcome) ?? []), ...(await spare.all(signal))]
    },
  }
}

type Outcome<T> = { readonly isDone: true; readonly value: T } | typeof FAILED
const FAILED = { isDone: false } as const

async function attempt<T>(work: () => Promise<T>, signal: AbortSignal): Promise<Outcome<T>> {
  try {
    return { isDone: true, value: await work() }
  } catch (error) {
    signal.throwIfAborted()
    if (!isStorageTrouble(error)) throw error
    return FAILED
  }
}

function valueOf<T>(outcome: Outcome<T>): T | undefined {
  return outcome.isDone ? outcome.value : undefined
}
