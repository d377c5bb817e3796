import { toSourceId } from '../../src/core/model/ids.ts'
import type { ArtifactFacts, DeliveryEvent } from '../../src/core/wire/delivery-event.ts'
import { sampleRecord } from '../core/audit/samples.ts'

/** That an artifact was found in a catalogue which is fine. */
export function resolvedWith(artifact: ArtifactFacts): DeliveryEvent {
  return {
    kind: 'resolved',
    artifact,
    catalogue: {
      version: 1,
      freshness: 'fresh',
      source: toSourceId('cdn-1'),
      signedBy: sampleRecord().catalogue.verdict,
      expiresAtSeconds: 2,
      nowSeconds: 1,
      isClockSuspect: false,
    },
    kept: [],
  }
}
