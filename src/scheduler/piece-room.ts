import type { Gate } from './gate.ts'
import { NOT_NEEDED } from './abort.ts'
import type { SourceState } from './source-state.ts'
import { pause, resume, type Transfer } from './transfer.ts'

/**
 * Memory for whole pieces, over all sources of a delivery (I07): what arrives, and what is being verified and kept. Peers, of which there may be
 * many, are asked only when there is room; an HTTP source waits for it in the middle of what it sends.
 */
export interface PieceRoom {
  readonly most: number
  /** For so many pieces more than are waited for already. */
  spare(): number
  /** At once, where some is to spare. */
  claim(transfer: Transfer): void
  /** Waits for room. Nothing is read meanwhile, so the source stops too. Rejects with the transfer's reason. */
  take(transfer: Transfer): Promise<void>
  /** The piece is whole: from now on its room is given back by `free`. */
  handOver(transfer: Transfer): void
  /** One of its pieces needs no memory any more. */
  free(by: SourceState): void
  /** The transfer is over: what it still has is free. */
  leave(transfer: Transfer): void
  /** There is none, and somebody who is well wants some: one that holds some and stands still, or is slow, is cut. */
  press(): void
}

export interface PieceRoomTools {
  readonly gate: Gate
  readonly nowMs: () => number
  readonly running: () => Iterable<Transfer>
}

export function createPieceRoom(most: number, { gate, nowMs, running }: PieceRoomTools): PieceRoom {
  let held = 0
  const waiting = new Set<Transfer>()

  const claim = (transfer: Transfer): void => {
    held++
    transfer.by.roomHeld++
    transfer.hasRoom = true
  }
  const free = (by: SourceState): void => {
    held--
    by.roomHeld--
    gate.open()
  }
  const press = (): void => {
    for (const transfer of running()) {
      if (!transfer.isReleased || !transfer.hasRoom || transfer.isRead) continue
      // Its piece is for others already, and half of one is no use to anybody.
      transfer.abort.cut(NOT_NEEDED)
      return
    }
  }
  const isFair = (transfer: Transfer): boolean => hasFairShare(transfer, waiting, most)

  /** Of those who wait, the fastest comes first: it gives back soonest. One that is not known yet may be. */
  const mayTake = (transfer: Transfer): boolean => {
    if (held >= most || !isFair(transfer)) return false
    for (const other of waiting) if (other !== transfer && speedOf(other) > speedOf(transfer) && isFair(other)) return false
    return true
  }

  return {
    most,
    spare: () => Math.max(0, most - held - waiting.size),
    claim,
    async take(transfer) {
      if (transfer.hasRoom) return
      if (mayTake(transfer)) return claim(transfer)
      waiting.add(transfer)
      pause(transfer, nowMs())
      try {
        while (!mayTake(transfer)) {
          if (held >= most) press()
          await gate.wait(transfer.abort.signal)
        }
        claim(transfer)
      } finally {
        waiting.delete(transfer)
        resume(transfer, nowMs())
      }
    },
    handOver(transfer) {
      transfer.hasRoom = false
    },
    free,
    leave(transfer) {
      if (!transfer.hasRoom) return
      transfer.hasRoom = false
      free(transfer.by)
    },
    press,
  }
}

/** Slow ones, which hold on to what they have for longer, would end up with all of it. */
function hasFairShare({ by }: Transfer, waiting: ReadonlySet<Transfer>, most: number): boolean {
  const others = new Set<SourceState>()
  for (const transfer of waiting) if (transfer.by !== by) others.add(transfer.by)
  return others.size === 0 || by.roomHeld < Math.ceil(most / (others.size + 1))
}

function speedOf({ by: { health } }: Transfer): number {
  return health.bytesPerSecond === 0 ? Infinity : health.bytesPerSecond
}
