/** Bytes over data channels and nothing else: no greeting, no hashing, nothing kept. What a browser can do at best. */

import type { RawShape } from './setups.ts'

export interface RawJob extends RawShape {
  readonly seeders: readonly string[]
  readonly bytes: number
  readonly limitMs: number
}

const MESSAGE_BYTES = 64 * 1024
const BLOCK_BYTES = 1024 * 1024

interface Said {
  readonly from: string
  readonly key: string
  readonly sdp?: RTCSessionDescriptionInit
  readonly candidate?: RTCIceCandidateInit
}

interface Line {
  say(to: string, what: object): void
  onSaid: (said: Said) => void
}

async function openLine(url: string, name: string): Promise<Line> {
  const socket = new WebSocket(url)
  const line: Line = { say: (to, what) => socket.send(JSON.stringify({ to, ...what })), onSaid: () => undefined }
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('error', () => reject(new Error('no hub')))
    socket.addEventListener('open', () => socket.send(JSON.stringify({ join: name })))
    socket.addEventListener('message', ({ data }) => {
      const said = JSON.parse(String(data))
      if ('joined' in said) resolve()
      else line.onSaid(said)
    })
  })
  return line
}

/** @returns takes what the other side says */
function wire(pc: RTCPeerConnection, say: (what: object) => void): (said: Said) => void {
  pc.addEventListener('icecandidate', ({ candidate }) => candidate !== null && say({ candidate: candidate.toJSON() }))
  // One after the other: a candidate has to wait for its description.
  let done: Promise<unknown> = Promise.resolve()
  return ({ sdp, candidate }) => {
    done = done.then(async () => {
      if (candidate !== undefined) return await pc.addIceCandidate(candidate)
      if (sdp === undefined) return
      await pc.setRemoteDescription(sdp)
      if (sdp.type !== 'offer') return
      await pc.setLocalDescription()
      say({ sdp: pc.localDescription })
    })
  }
}

/** Waits for whoever asks, and sends what it asks for: the first message says how much, each other one how much has been taken. */
export async function seed(url: string, name: string): Promise<void> {
  const line = await openLine(url, name)
  const block = new Uint8Array(BLOCK_BYTES)
  for (let at = 0; at < BLOCK_BYTES; at += 65_536) crypto.getRandomValues(block.subarray(at, at + 65_536))
  const peers = new Map<string, (said: Said) => void>()
  line.onSaid = (said) => {
    const id = `${said.from} ${said.key}`
    const known = peers.get(id)
    if (known !== undefined) return known(said)
    const pc = new RTCPeerConnection()
    pc.addEventListener('datachannel', ({ channel }) => serve(channel, block))
    pc.addEventListener('connectionstatechange', () => pc.connectionState === 'closed' && peers.delete(id))
    const take = wire(pc, (what) => line.say(said.from, { key: said.key, ...what }))
    peers.set(id, take)
    take(said)
  }
}

function serve(channel: RTCDataChannel, block: Uint8Array<ArrayBuffer>): void {
  channel.binaryType = 'arraybuffer'
  let job: { readonly bytes: number; readonly windowBytes: number } | undefined
  let sent = 0
  channel.addEventListener('message', ({ data }) => {
    job ??= JSON.parse(String(data))
    const taken = typeof data === 'string' ? 0 : new DataView(data).getFloat64(0)
    while (job !== undefined && sent < job.bytes && sent + MESSAGE_BYTES <= taken + job.windowBytes) {
      const at = sent % BLOCK_BYTES
      channel.send(block.subarray(at, at + MESSAGE_BYTES))
      sent += MESSAGE_BYTES
    }
  })
}

/** Takes an equal part over every connection. */
export async function leech(url: string, job: RawJob): Promise<{ readonly bytes: number; readonly tookMs: number }> {
  const line = await openLine(url, `leech-${crypto.randomUUID()}`)
  const peers = new Map<string, (said: Said) => void>()
  line.onSaid = (said) => peers.get(`${said.from} ${said.key}`)?.(said)
  const startedAtMs = performance.now()
  if (window.meshWatch !== undefined) window.meshWatch.startedAtMs = startedAtMs
  const total = { bytes: 0 }
  const keys = Array.from({ length: job.connections }, () => crypto.randomUUID())
  const links = job.seeders.flatMap((to) => keys.map((key) => ({ to, key })))
  const messages = job.bytes / MESSAGE_BYTES
  const parts = links.map(async ({ to, key }, at) => {
    const pc = new RTCPeerConnection()
    const say = (what: object): void => line.say(to, { key, ...what })
    peers.set(`${to} ${key}`, wire(pc, say))
    const channel = pc.createDataChannel('raw')
    const share = Math.floor((messages * (at + 1)) / links.length) - Math.floor((messages * at) / links.length)
    const all = receive(channel, { bytes: share * MESSAGE_BYTES, windowBytes: job.windowBytes }, total)
    await pc.setLocalDescription()
    say({ sdp: pc.localDescription })
    await all
    pc.close()
  })
  const late = new Promise<void>((resolve) => setTimeout(resolve, job.limitMs))
  await Promise.race([Promise.all(parts), late])
  return { bytes: total.bytes, tookMs: performance.now() - startedAtMs }
}

function receive(
  channel: RTCDataChannel,
  job: { readonly bytes: number; readonly windowBytes: number },
  total: { bytes: number },
): Promise<void> {
  channel.binaryType = 'arraybuffer'
  let [taken, told] = [0, 0]
  return new Promise((resolve, reject) => {
    channel.addEventListener('close', () => reject(new Error(`the channel closed after ${taken} bytes`)))
    channel.addEventListener('open', () => channel.send(JSON.stringify(job)))
    channel.addEventListener('message', ({ data }) => {
      taken += data.byteLength
      total.bytes += data.byteLength
      if (taken === job.bytes) return resolve()
      if (taken - told < job.windowBytes / 4) return
      told = taken
      const word = new ArrayBuffer(8)
      new DataView(word).setFloat64(0, taken)
      channel.send(word)
    })
  })
}
