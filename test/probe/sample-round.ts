import type { ProbeCheck, ProbeRound } from '../../src/node/probe/round.ts'

/** A round in which all was well at one place. */
export function soundRound(checks: readonly ProbeCheck[]): ProbeRound {
  return {
    ok: true,
    atSeconds: 1,
    catalogue: undefined,
    origins: [
      {
        id: 'eu',
        tier: 'cdn',
        url: 'https://eu.example/',
        isUp: true,
        firstByteMs: 12,
        piecesChecked: 1,
        piecesRotten: 0,
        catalogueVersion: 1,
        catalogueExpiresInSeconds: 1,
      },
    ],
    rows: checks.map((check) => ({ origin: 'eu', check, ok: true, detail: '', ms: 1 })),
  }
}
