/** What one server's work cost it; medians over the rounds. */
export interface SignalingRow {
  readonly server: string
  readonly sockets: number
  readonly rssMiB: number
  readonly kibPerSocket: number
  readonly joinCpuMs: number
  readonly relaysPerCpuS: number
}

const RSS_MIB = 200
const KIB_PER_SOCKET = 15
/** What the limits on memory are about. */
const FULL = 10_000

/** Whether each limit holds, as lines. */
export function signalingVerdicts(rows: readonly SignalingRow[]): readonly string[] {
  const ours = rows.find(({ server }) => server === 'sealift')
  if (ours === undefined) return []
  const rival = rows.find(({ server }) => server === 'bittorrent-tracker')
  return [
    ...(ours.sockets < FULL
      ? [`${ours.sockets} sockets say nothing of the limits at ${FULL}`]
      : [
          verdict(ours.rssMiB <= RSS_MIB, `${ours.rssMiB} MiB of at most ${RSS_MIB}`),
          verdict(ours.kibPerSocket <= KIB_PER_SOCKET, `${ours.kibPerSocket} KiB per socket of at most ${KIB_PER_SOCKET}`),
        ]),
    ...(rival === undefined
      ? []
      : [
          verdict(ours.kibPerSocket <= rival.kibPerSocket, `KiB per socket, ${ratio(ours.kibPerSocket, rival.kibPerSocket)} x theirs`),
          verdict(ours.joinCpuMs <= rival.joinCpuMs, `CPU per join, ${ratio(ours.joinCpuMs, rival.joinCpuMs)} x theirs`),
          verdict(
            ours.relaysPerCpuS >= rival.relaysPerCpuS,
            `relays per CPU-second, ${ratio(ours.relaysPerCpuS, rival.relaysPerCpuS)} x theirs`,
          ),
        ]),
  ]
}

function verdict(isMet: boolean, what: string): string {
  return `${isMet ? 'holds ' : 'MISSED'} ${what}`
}

function ratio(ours: number, theirs: number): string {
  return (ours / theirs).toFixed(2)
}
