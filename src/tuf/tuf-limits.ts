/** How big anything of a TUF repository may be. Looked at before a byte is parsed: whoever carries it may have written it. */
export const TUF_LIMITS = {
  /** A root's chain is followed so far in one refresh; the next goes on from there. */
  rotationsPerRefresh: 32,
  rootBytes: 512_000,
  timestampBytes: 16_384,
  snapshotBytes: 2_000_000,
  targetsBytes: 5_000_000,
  trustedRootBytes: 512_000,
  /** Members of one object or items of one list. The models copy a map once for each member: twice as many cost four times as much. */
  membersPerValue: 1024,
  /** One document, from the request to its last byte. */
  documentMs: 10_000,
  /** A whole refresh. What was verified by then is kept. */
  refreshMs: 60_000,
} as const
