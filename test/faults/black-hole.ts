import { connect, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'

/** A port that swallows connections. */
export interface BlackHole {
  close(): Promise<void>
}

/** Listens with the shortest queue there is, and then does nothing ever again: what is not in the queue gets no answer to its SYN. */
const SCRIPT = `
const { createServer } = require('node:net')
const { parentPort, workerData } = require('node:worker_threads')
const server = createServer(() => {})
server.on('error', (error) => parentPort.postMessage(String(error)))
server.listen({ ...workerData, backlog: 1 }, () => {
  parentPort.postMessage('listening')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
})
`
/** One more than fits, so that the queue is full whatever the system adds to the number asked for. */
const FILLERS = 4
/** A connection over loopback that is not there by then is not coming. */
const CONNECT_MS = 200

/** @throws {Error} what the system says when the port is taken */
export async function openBlackHole(host: string, port: number): Promise<BlackHole> {
  const worker = new Worker(SCRIPT, { eval: true, workerData: { host, port } })
  const word = await new Promise<unknown>((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  if (word !== 'listening') throw new Error(String(word))
  const fillers: Socket[] = []
  const close = async (): Promise<void> => {
    for (const socket of fillers) socket.destroy()
    await worker.terminate()
  }
  while (fillers.length < FILLERS && (await connects(host, port, fillers)));
  return { close }
}

async function connects(host: string, port: number, fillers: Socket[]): Promise<boolean> {
  const socket = connect(port, host)
  fillers.push(socket)
  socket.on('error', () => socket.destroy()) // reset at the end, when the hole is closed
  return await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), CONNECT_MS)
    socket.once('connect', () => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}
