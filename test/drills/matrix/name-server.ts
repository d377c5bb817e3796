import { createSocket } from 'node:dgram'
import { once } from 'node:events'

/** A DNS server on loopback that knows one address for every name. */
export interface NameServer {
  /** `127.0.0.1:PORT`, as nginx takes it. */
  readonly address: string
  readonly questions: number
  close(): Promise<void>
}

const HEADER_BYTES = 12
const TYPE_A = 1
/** So short that nobody remembers it for longer than a cell takes. */
const TTL_SECONDS = 1

export async function startNameServer(): Promise<NameServer> {
  const socket = createSocket('udp4')
  let questions = 0
  let isClosed = false
  socket.on('message', (query, from) => {
    questions++
    socket.send(answerTo(query), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    address: `127.0.0.1:${socket.address().port}`,
    get questions() {
      return questions
    },
    async close() {
      if (isClosed) return
      isClosed = true
      const closed = once(socket, 'close')
      socket.close()
      await closed
    },
  }
}

/** RFC 1035, sections 4.1.1 to 4.1.3. Asked for an address of the older kind it says 127.0.0.1; of any other kind there is none. */
function answerTo(query: Buffer): Buffer {
  let end = HEADER_BYTES
  while ((query[end] ?? 0) !== 0) end += (query[end] ?? 0) + 1
  const question = query.subarray(HEADER_BYTES, end + 5)
  const hasAddress = question.readUInt16BE(question.length - 4) === TYPE_A
  const header = Buffer.alloc(HEADER_BYTES)
  query.copy(header, 0, 0, 2)
  // A response, with recursion asked for and available.
  header.writeUInt16BE(0x8180, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(hasAddress ? 1 : 0, 6)
  if (!hasAddress) return Buffer.concat([header, question])
  const answer = Buffer.alloc(16)
  // The name is the one at the start of the question.
  answer.writeUInt16BE(0xc000 | HEADER_BYTES, 0)
  answer.writeUInt16BE(TYPE_A, 2)
  answer.writeUInt16BE(1, 4)
  answer.writeUInt32BE(TTL_SECONDS, 6)
  answer.writeUInt16BE(4, 10)
  answer.set([127, 0, 0, 1], 12)
  return Buffer.concat([header, question, answer])
}
