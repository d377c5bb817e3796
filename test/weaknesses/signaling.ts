import { testsOf, type Weakness } from '../planting/weakness.ts'

const inAdmission = testsOf('test/signaling/admission.test.ts')
const inLimits = testsOf('test/signaling/limits.test.ts')
const inServer = testsOf('test/signaling/server.test.ts')
const inHostile = testsOf('test/signaling/hostile.test.ts')
const inClient = testsOf('test/sources/mesh/signaling-client.test.ts')

export const weaknesses: readonly Weakness[] = [
  {
    name: 'sg01-lying-server',
    file: 'src/sources/mesh/peer-book.ts',
    find: 'if (ofServer >= DIALLED_PEERS ||',
    replace: 'if (ofServer >= DIALLED_PEERS * 8 ||',
    needsBuild: true,
    tests: [testsOf('test/browser/signaling-attacks.test.ts', 'browser')('sg01.lying-server')],
  },
  {
    name: 'sg06-spoof',
    file: 'signaling/sessions.ts',
    find: 'from: session.id })',
    replace: 'from: to })',
    tests: [{ project: 'unit', file: 'test/signaling/rooms.test.ts', named: 'sg06.spoof' }],
  },
  {
    name: 'sg07-tokens-mac',
    file: 'src/core/wire/ticket.ts',
    find: "if (!equalInConstantTime(macOf(key.secret, `${purpose.label}\\0${part}`), given)) return refused('bad-mac')",
    replace: 'void given',
    tests: [inAdmission('sg07.tokens')],
  },
  {
    name: 'sg07-tokens-site',
    file: 'signaling/admission.ts',
    find: 'allowed.has(claims.site) && ',
    replace: '',
    tests: [inAdmission('sg07.tokens')],
  },
  {
    name: 'sg08-origin',
    file: 'signaling/admission.ts',
    find: 'allowed.has(origin)),',
    replace: '[...allowed].some((one) => origin.startsWith(one))),',
    tests: [inAdmission('sg08.origin')],
  },
  {
    name: 'sg09-enumerate',
    file: 'src/core/wire/ticket.ts',
    find: 'macOf(swarmKey, `sealift swarm v1\\0${digest}`)',
    replace: 'macOf(new Uint8Array(32).fill(1), `sealift swarm v1\\0${digest}`)',
    tests: [{ project: 'unit', file: 'test/signaling/enumerate.test.ts', named: 'sg09.enumerate: who knows' }],
  },
  {
    name: 'sg10-limits-table',
    file: 'signaling/hub.ts',
    find: 'this.#connections.size >= this.limits.connections',
    replace: 'this.#connections.size > this.limits.connections',
    tests: [inLimits('sg10.limits-table')],
  },
  {
    name: 'sg10-slowloris',
    file: 'signaling/http-front.ts',
    find: '    headersTimeout: limits.headersTimeoutMs,\n    requestTimeout: limits.requestTimeoutMs,\n',
    replace: '',
    tests: [inLimits('sg10.slowloris')],
  },
  {
    name: 'sg10-slow-consumer',
    file: 'signaling/connection.ts',
    find: "if (++this.#dropped >= limits.droppedMessages) this.#cut('slow-reader')",
    replace: 'this.#dropped++',
    tests: [inLimits('sg10.slow-consumer')],
  },
  {
    name: 'sg10-drain',
    file: 'signaling/hub.ts',
    find: 'Math.floor(this.#random() * this.limits.drainSpreadMs)',
    replace: '0',
    tests: [inServer('sg10.drain')],
  },
  {
    name: 'sg10-restart-herd',
    file: 'signaling/http-front.ts',
    find: '    server.close(() => resolve())\n    server.closeAllConnections()',
    replace: '    resolve()',
    tests: [inServer('sg10.restart-herd')],
  },
  {
    name: 'sg10-fuzz',
    file: 'signaling/hub.ts',
    find: 'maxPayload: this.limits.messageBytes,',
    replace: 'maxPayload: this.limits.messageBytes,\n      skipUTF8Validation: true,',
    tests: [inHostile('sg10.fuzz')],
  },
  {
    name: 'sg10-leak',
    file: 'signaling/sessions.ts',
    find: 'this.#countTicket(session.grant.ticketId, -1)\n    this.#options.rooms.leaveAll(session)',
    replace: 'this.#countTicket(session.grant.ticketId, -1)',
    tests: [inHostile('sg10.leak')],
  },
  {
    name: 'sg11-badmsg',
    file: 'signaling/connection.ts',
    find: 'if (!(error instanceof DeliveryError)) {',
    replace: 'if (text !== undefined) {',
    tests: [inHostile('sg11.badmsg')],
  },
  {
    name: 'sg12-turn-cred',
    file: 'signaling/turn.ts',
    find: '`${nowSeconds + lifetimeSeconds}:${peer}`',
    replace: '`${2 ** 31}:${peer}`',
    tests: [testsOf('test/signaling/turn.test.ts')('sg12.turn-cred')],
  },
  {
    name: 'signaling-hangs',
    file: 'src/sources/mesh/signaling-client.ts',
    find: 'if (quietMs >= ANSWER_MS) leave()',
    replace: 'void leave',
    tests: [inClient('a server that hangs is left')],
  },
  {
    name: 'signaling-floods',
    file: 'src/sources/mesh/signaling-client.ts',
    find: 'burst: 256,',
    replace: 'burst: 1e9,',
    tests: [inClient('a server that floods is left')],
  },
  {
    name: 'ticket-refused',
    file: 'src/sources/mesh/admission-pass.ts',
    find: 'if (sinceMs < REFUSED_MS) return REFUSED_MS - sinceMs',
    replace: 'void sinceMs',
    tests: [inClient('a client whose ticket is refused')],
  },
]
