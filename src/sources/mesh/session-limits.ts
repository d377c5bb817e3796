/** What both ends of a session count alike: whoever asks keeps to it, and whoever serves holds no more. See docs/peer-protocol.md. */

/** Requests of one peer that are open at the same time. */
export const OPEN_REQUESTS = 4

