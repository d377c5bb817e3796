import type { Failure } from '../core/errors.ts'
import type { PieceIndex, SourceId } from '../core/model/ids.ts'
import type { Tier } from '../core/ports.ts'

/** What happens during a delivery, as it happens. Called synchronously; must not throw. */
export interface DeliveryObserver {
  onPiece(piece: { readonly index: PieceIndex; readonly source: SourceId; readonly tier: Tier; readonly bytes: number }): void
  onReceived(received: { readonly source: SourceId; readonly tier: Tier; readonly bytes: number }): void
  onTrouble(trouble: { readonly source: SourceId; readonly tier: Tier; readonly failure: Failure; readonly isBanned: boolean }): void
}
