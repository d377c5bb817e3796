import { createLine, type LineShape } from '../../faults/line.ts'
import type { CreditWindow } from '../../../src/sources/mesh/credit-window.ts'

/** One sender and its receiver. */
export interface Flow {
  readonly window: CreditWindow
  /** When it begins to ask. Default 0. */
  readonly startMs?: number
}

export interface FlowResult {
  /** Of the line's rate, or bytes per ms where it has none; since the moment from which is measured. */
  readonly bytesPerMs: number
  readonly windowBytes: number
}

export interface RaceResult {
  readonly flows: readonly FlowResult[]
  /** Since the moment from which is measured. */
  readonly longestQueueBytes: number
  readonly dropped: number
}

const FRAME_BYTES = 65_520
const PACKET_BYTES = 1200

interface Grant {
  readonly bytes: number
  readonly atMs: number
  readonly wasFull: boolean
}

interface Runner extends Flow {
  outstandingBytes: number
  receivedBytes: number
  /** Frames come in order: one that lost a packet holds up those behind it. */
  lastDoneMs: number
}

/**
 * Receivers that open their windows to senders who always have more, over one line. Credit takes half a round trip, is spent at once, and what the line drops is
 * sent again a round trip later. Same input, same result.
 */
export function race(
  shape: LineShape,
  flows: readonly Flow[],
  { forMs, fromMs }: { readonly forMs: number; readonly fromMs: number },
): RaceResult {
  const line = createLine(shape)
  const runners: Runner[] = flows.map((flow) => ({ ...flow, outstandingBytes: 0, receivedBytes: 0, lastDoneMs: 0 }))
  const agenda: { readonly atMs: number; readonly act: (nowMs: number) => void }[] = []
  const plan = (atMs: number, act: (nowMs: number) => void): void => {
    const later = agenda.findIndex((one) => one.atMs > atMs)
    agenda.splice(later === -1 ? agenda.length : later, 0, { atMs, act })
  }
  let [longestQueueBytes, dropped] = [0, 0]

  const ask = (runner: Runner, nowMs: number): void => {
    const { window } = runner
    while (runner.outstandingBytes === 0 || window.bytes - runner.outstandingBytes >= FRAME_BYTES) {
      runner.outstandingBytes += FRAME_BYTES
      const grant = { bytes: FRAME_BYTES, atMs: nowMs, wasFull: runner.outstandingBytes > window.bytes / 2 }
      plan(nowMs + shape.delayMs, (atMs) => send(runner, { grant, packets: Math.ceil(FRAME_BYTES / PACKET_BYTES), doneMs: atMs }, atMs))
    }
  }
  const send = (
    runner: Runner,
    frame: { readonly grant: Grant; readonly packets: number; readonly doneMs: number },
    nowMs: number,
  ): void => {
    let [lost, doneMs] = [0, frame.doneMs]
    for (let at = 0; at < frame.packets; at++) {
      const dueMs = line.pass(PACKET_BYTES, nowMs)
      if (dueMs === undefined) lost++
      else doneMs = Math.max(doneMs, dueMs)
    }
    if (nowMs >= fromMs) {
      longestQueueBytes = Math.max(longestQueueBytes, line.queuedBytes(nowMs))
      dropped += lost
    }
    if (lost > 0) plan(nowMs + 2 * shape.delayMs + 1, (atMs) => send(runner, { grant: frame.grant, packets: lost, doneMs }, atMs))
    else {
      runner.lastDoneMs = Math.max(runner.lastDoneMs, doneMs)
      plan(runner.lastDoneMs, (atMs) => take(runner, frame.grant, atMs))
    }
  }
  const take = (runner: Runner, { bytes, atMs, wasFull }: Grant, nowMs: number): void => {
    runner.outstandingBytes -= bytes
    if (nowMs >= fromMs) runner.receivedBytes += bytes
    runner.window.onUsed({ bytes, delayMs: nowMs - atMs, wasFull }, nowMs)
    ask(runner, nowMs)
  }

  for (const runner of runners) plan(runner.startMs ?? 0, (atMs) => ask(runner, atMs))
  for (let next = agenda.shift(); next !== undefined && next.atMs < forMs; next = agenda.shift()) next.act(next.atMs)
  return {
    flows: runners.map(({ window, receivedBytes }) => ({ bytesPerMs: receivedBytes / (forMs - fromMs), windowBytes: window.bytes })),
    longestQueueBytes,
    dropped,
  }
}
