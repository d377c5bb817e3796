/** What both ends of a session count alike: whoever asks keeps to it, and whoever serves holds no more. See docs/peer-protocol.md. */

/** Requests of one peer that are open at the same time. */
export const OPEN_REQUESTS = 4

/** Topics of one peer that are open at the same time. Opening one more closes the oldest, at both ends and without a message. */
export const OPEN_TOPICS = 256

/** Topics are numbered from 0, and from 0 again when the two bytes of a frame's field are used up. */
export const TOPIC_NUMBERS = 2 ** 16
