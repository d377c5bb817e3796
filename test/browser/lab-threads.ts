import { createThreadStarter } from '../../src/engine/thread-line.ts'

/** Asks the page of the lab. In its worker only. */
export const startThread = createThreadStarter((message, transfer) => postMessage(message, { transfer }))
