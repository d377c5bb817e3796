import type { SourceId } from '../core/model/ids.ts'
import type { DeliveryEvent } from '../core/wire/delivery-event.ts'

/** Over so long the rate is taken. */
const WINDOW_MS = 3000

/** One line that says how far a download is. */
export interface GetProgress {
  /** @returns the line, or undefined when there is nothing new to show */
  add(event: DeliveryEvent): string | undefined
}

interface Sample {
  readonly atMs: number
  readonly receivedBytes: number
}

/** @param nowMs a clock that never goes back */
export function createGetProgress(nowMs: () => number): GetProgress {
  let label = ''
  let samples: readonly Sample[] = []
  const sources = new Set<SourceId>()
  const rate = (receivedBytes: number): number => {
    const atMs = nowMs()
    samples = [...samples.filter((sample) => atMs - sample.atMs <= WINDOW_MS), { atMs, receivedBytes }]
    const [first] = samples
    return first === undefined || atMs <= first.atMs ? 0 : ((receivedBytes - first.receivedBytes) * 1000) / (atMs - first.atMs)
  }
  return {
    add(event) {
      switch (event.kind) {
        case 'phase':
          if (event.phase === 'resolving') return 'looking    for the catalogue'
          return event.phase === 'checking' ? `checking   ${label}` : undefined
        case 'resolved':
          label = [event.artifact.name, event.artifact.version, event.artifact.platform].filter((word) => word !== undefined).join(' ')
          return `fetching   ${label}`
        case 'progress': {
          for (const { source } of event.pieces) sources.add(source)
          const { verifiedBytes, sizeBytes } = event
          const share = sizeBytes === 0 ? 100 : Math.floor((verifiedBytes / sizeBytes) * 100)
          const from = sources.size === 0 ? '' : ` from ${[...sources].join(', ')}`
          return `fetching   ${label} ${share} % (${megabytes(verifiedBytes)} of ${megabytes(sizeBytes)} MB) ${megabytes(rate(event.receivedBytes))} MB/s${from}`
        }
        case 'trouble':
        case 'signed':
          return undefined
      }
    },
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(1)
}
