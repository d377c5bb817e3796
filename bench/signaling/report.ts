import { signalingVerdicts, type SignalingRow } from '../../test/measure/signaling-verdicts.ts'
import { medianOf, round2 } from '../contest.ts'
import type { BenchOutput } from '../output.ts'
import type { Costs } from './work.ts'

/** @param rounds of each server; ours is `sealift` */
export function reportSignaling(rounds: ReadonlyMap<string, readonly Costs[]>, remarks: readonly string[]): BenchOutput {
  const rows = [...rounds].filter(([, costs]) => costs.length > 0).map(([server, costs]) => rowOf(server, costs))
  return {
    lines: [...rows.map(describe), '', ...signalingVerdicts(rows), ...remarks],
    result: { bench: 'signaling', rows },
  }
}

function rowOf(server: string, costs: readonly Costs[]): SignalingRow {
  const median = (pick: (one: Costs) => number): number => round2(medianOf(costs.map(pick)))
  return {
    server,
    sockets: costs[0]?.sockets ?? 0,
    rssMiB: median(({ rssMiB }) => rssMiB),
    kibPerSocket: median(({ kibPerSocket }) => kibPerSocket),
    // Thousandths of a millisecond are a hundredth of what a join costs.
    joinCpuMs: Math.round(medianOf(costs.map(({ joinCpuMs }) => joinCpuMs)) * 1000) / 1000,
    relaysPerCpuS: Math.round(medianOf(costs.map(({ relaysPerCpuS }) => relaysPerCpuS))),
  }
}

function describe({ server, sockets, rssMiB, kibPerSocket, joinCpuMs, relaysPerCpuS }: SignalingRow): string {
  return (
    `${server.padEnd(20)} ${sockets} sockets: ${rssMiB} MiB, ${kibPerSocket} KiB per socket, ` +
    `${joinCpuMs} ms of CPU per join, ${relaysPerCpuS} relays per CPU-second`
  )
}
