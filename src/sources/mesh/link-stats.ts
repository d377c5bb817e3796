import type SimplePeer from 'simple-peer'
import type { LinkPath, LinkStats } from './peer-link.ts'

type Report = Readonly<Record<string, unknown>>

/** What the WebRTC stack counted on the data channel, and which candidates it chose. All zero once the connection is gone. */
export async function readLinkStats(peer: SimplePeer.Instance): Promise<LinkStats> {
  const reports = await readReports(peer)
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

function readReports(peer: SimplePeer.Instance): Promise<readonly Report[]> {
  if (peer.destroyed || !('getStats' in peer) || typeof peer.getStats !== 'function') return Promise.resolve([])
  const { getStats } = peer
  return new Promise((resolve) => {
    Reflect.apply(getStats, peer, [
      (error: unknown, reports: unknown) => resolve(error === null && Array.isArray(reports) ? reports.filter(isReport) : []),
    ])
  })
}

function isReport(value: unknown): value is Report {
  return typeof value === 'object' && value !== null
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0
}
