import type { Clock } from '../../core/ports.ts'
import type { LinkPath, LinkStats } from './peer-link.ts'
import { createSettled } from './wait.ts'

type Report = Readonly<Record<string, unknown>>

/** What is used of a simple-peer, whose declared type leaves `getStats` out. */
interface CountingPeer {
  readonly destroyed: boolean
  readonly getStats?: unknown
}

/** A stack that takes longer to count is not waited for. */
export const STATS_TIMEOUT_MS = 1000

/**
 * What the WebRTC stack counted on the data channel, and which candidates it chose. All zero when the connection is gone, or the stack
 * does not answer in time. Aborting `signal` ends the wait in the same way.
 */
export async function readLinkStats(peer: CountingPeer, clock: Clock, signal: AbortSignal): Promise<LinkStats> {
  const reports = await readReports(peer, clock, signal)
  const channel = reports.find(({ type }) => type === 'data-channel')
  const pair = selectedPair(reports)
  const seconds = pair?.['currentRoundTripTime']
  return {
    sentBytes: numberOf(channel?.['bytesSent']),
    receivedBytes: numberOf(channel?.['bytesReceived']),
    path: pathOf(reports, pair),
    roundTripMs: typeof seconds === 'number' ? seconds * 1000 : undefined,
  }
}

function selectedPair(reports: readonly Report[]): Report | undefined {
  const chosen = reports.find(({ type }) => type === 'transport')?.['selectedCandidatePairId']
  const pairs = reports.filter(({ type }) => type === 'candidate-pair')
  return pairs.find(({ id }) => id === chosen) ?? pairs.find((pair) => pair['selected'] === true)
}

function pathOf(reports: readonly Report[], pair: Report | undefined): LinkPath {
  if (pair === undefined) return 'unknown'
  const typeOf = (id: unknown): unknown => reports.find((report) => report['id'] === id)?.['candidateType']
  const ends = [typeOf(pair['localCandidateId']), typeOf(pair['remoteCandidateId'])]
  if (ends.includes('relay')) return 'relay'
  // A peer-reflexive end opposite a host one is a host behind an mDNS name that was not resolved in time.
  return ends.includes('host') && !ends.includes('srflx') ? 'lan' : 'wan'
}

async function readReports(peer: CountingPeer, clock: Clock, signal: AbortSignal): Promise<readonly Report[]> {
  if (peer.destroyed || typeof peer.getStats !== 'function') return []
  const counted = createSettled<readonly Report[]>()
  const take = (error: unknown, reports: unknown): void => {
    counted.resolve(error === null && Array.isArray(reports) ? reports.filter(isReport) : [])
  }
  const done = new AbortController()
  const late = clock.sleep(STATS_TIMEOUT_MS, AbortSignal.any([signal, done.signal])).then(
    () => [],
    () => [],
  )
  try {
    Reflect.apply(peer.getStats, peer, [take])
    return await Promise.race([counted.promise, late])
  } catch {
    // The connection may end between any two lines here, and a stack then throws.
    return []
  } finally {
    done.abort()
  }
}

function isReport(value: unknown): value is Report {
  return typeof value === 'object' && value !== null
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0
}
