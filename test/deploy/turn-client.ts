import { createHash, createHmac, randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

/** As much of a TURN client (RFC 8656) as asks a server for a relay, over UDP and IPv4. */
export interface TurnClient {
  /** @returns the status of the answer: 200, or what it was refused with */
  allocate(): Promise<number>
  /** Asks that packets may go to this address. @returns as above */
  permit(address: string): Promise<number>
  close(): void
}

const METHOD = { allocate: 0x003, permit: 0x008 } as const
const ATTRIBUTE = { username: 0x06, integrity: 0x08, error: 0x09, peer: 0x12, realm: 0x14, nonce: 0x15, transport: 0x19 } as const
const ERROR_CLASS = 0x110
const COOKIE = 0x2112a442
const HEADER_BYTES = 20
const INTEGRITY_BYTES = 24
const UDP = Buffer.from([17, 0, 0, 0])
const PATIENCE_MS = 5000

type Attribute = readonly [type: number, value: Buffer]

/** @param username and credential as `welcome` brings them */
export async function connectTurn(port: number, username: string, credential: string): Promise<TurnClient> {
  const socket = createSocket('udp4')
  socket.connect(port, '127.0.0.1')
  await once(socket, 'connect')
  let proof: readonly Attribute[] = []
  let key = Buffer.alloc(0)
  const ask = async (method: number, attributes: readonly Attribute[]): Promise<number> => {
    const first = await exchange(socket, message(method, [...attributes, ...proof], key))
    if (statusOf(first) !== 401 || proof.length > 0) return statusOf(first)
    // The first answer says in whose name to ask again (RFC 8489 section 9.2).
    const [realm, nonce] = [valueOf(first, ATTRIBUTE.realm), valueOf(first, ATTRIBUTE.nonce)]
    proof = [
      [ATTRIBUTE.username, Buffer.from(username)],
      [ATTRIBUTE.realm, realm],
      [ATTRIBUTE.nonce, nonce],
    ]
    key = createHash('md5').update(`${username}:${realm.toString()}:${credential}`).digest()
    return statusOf(await exchange(socket, message(method, [...attributes, ...proof], key)))
  }
  return {
    allocate: () => ask(METHOD.allocate, [[ATTRIBUTE.transport, UDP]]),
    permit: (address) => ask(METHOD.permit, [[ATTRIBUTE.peer, xorAddress(address)]]),
    close: () => socket.close(),
  }
}

async function exchange(socket: Socket, request: Buffer): Promise<Buffer> {
  const answered = once(socket, 'message', { signal: AbortSignal.timeout(PATIENCE_MS) })
  socket.send(request)
  const [answer] = (await answered) as [Buffer]
  return answer
}

function message(method: number, attributes: readonly Attribute[], key: Buffer): Buffer {
  const body = Buffer.concat(attributes.map(([type, value]) => encode(type, value)))
  const isSigned = key.length > 0
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt16BE(method, 0)
  // The length counts the proof that is made over it.
  header.writeUInt16BE(body.length + (isSigned ? INTEGRITY_BYTES : 0), 2)
  header.writeUInt32BE(COOKIE, 4)
  randomBytes(12).copy(header, 8)
  const text = Buffer.concat([header, body])
  return isSigned ? Buffer.concat([text, encode(ATTRIBUTE.integrity, createHmac('sha1', key).update(text).digest())]) : text
}

function encode(type: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt16BE(type, 0)
  head.writeUInt16BE(value.length, 2)
  return Buffer.concat([head, value, Buffer.alloc(-value.length & 3)])
}

function statusOf(answer: Buffer): number {
  if ((answer.readUInt16BE(0) & ERROR_CLASS) !== ERROR_CLASS) return 200
  const error = valueOf(answer, ATTRIBUTE.error)
  return error.readUInt8(2) * 100 + error.readUInt8(3)
}

function valueOf(answer: Buffer, wanted: number): Buffer {
  for (let at = HEADER_BYTES; at + 4 <= answer.length;) {
    const [type, length] = [answer.readUInt16BE(at), answer.readUInt16BE(at + 2)]
    if (type === wanted) return answer.subarray(at + 4, at + 4 + length)
    at += 4 + length + (-length & 3)
  }
  throw new Error(`the answer has no attribute ${wanted}`)
}

/** XOR-PEER-ADDRESS, with port 9. */
function xorAddress(address: string): Buffer {
  const value = Buffer.alloc(8)
  value.writeUInt8(1, 1)
  value.writeUInt16BE(9 ^ (COOKIE >>> 16), 2)
  const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  value.writeUInt32BE((number ^ COOKIE) >>> 0, 4)
  return value
}
