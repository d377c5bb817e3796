import { createUploadSlots, UPLOAD_SLOTS, type UploadLane, type WantedPiece } from '../../src/sources/mesh/upload-slots.ts'

/** Somebody who wants one of a peer's upload slots. */
export interface SlotHolder {
  readonly servedBytes: number
  /** It waited, and has one now. */
  onSlot(): void
}

export type SlotLane = Pick<UploadLane, 'enter' | 'leave'>

/** One peer's slots, and how often it gave each piece. */
export interface PeerSlots {
  open(holder: SlotHolder): SlotLane
  noteGiven(piece: WantedPiece): void
}

export function openSlots(isGiving: boolean, isLan: (holder: SlotHolder) => boolean): PeerSlots {
  const slots = createUploadSlots(isGiving ? UPLOAD_SLOTS : 0)
  const open = (holder: SlotHolder): SlotLane => {
    const lane = slots.open({
      pump: () => undefined,
      onLimits: () => undefined,
      onSlot: () => holder.onSlot(),
      get servedBytes() {
        return holder.servedBytes
      },
    })
    if (isLan(holder)) lane.setPath('lan')
    return lane
  }
  return { open, noteGiven: (piece) => slots.noteGiven(piece) }
}
