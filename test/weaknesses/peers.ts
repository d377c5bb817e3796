import { testsOf, type Weakness } from '../planting/weakness.ts'

const inMemory = testsOf('test/attacks/peers.test.ts')
const inBook = testsOf('test/sources/mesh/peer-book.test.ts')
const inSession = testsOf('test/sources/mesh/peer-session.test.ts')
const inFilter = testsOf('test/sources/mesh/negotiation-filter.test.ts')
const inBrowser = testsOf('test/browser/mesh.test.ts', 'browser')

export const weaknesses: readonly Weakness[] = [
  {
    name: 'pe01-pollute',
    file: 'src/core/plan/reputation.ts',
    find: '      banned.add(source)\n',
    replace: '',
    tests: [inMemory('pe01.pollute')],
  },
  {
    name: 'pe02-rejoin',
    file: 'src/sources/mesh/peer-book.ts',
    find: 'this.#outcasts.ban(fingerprint)',
    replace: 'void fingerprint',
    tests: [inBook('pe02.rejoin')],
  },
  {
    name: 'pe03-no-hearsay',
    file: 'signaling/sessions.ts',
    find: "this.#options.counters.add('reports_total', signal.reason)",
    replace: "this.#options.counters.add('reports_total', signal.reason)\n    this.#options.rooms.leaveAll?.(session)",
    tests: [{ project: 'unit', file: 'test/signaling/rooms.test.ts', named: 'pe03.no-hearsay' }],
  },
  {
    name: 'pe04-stall',
    file: 'src/scheduler/ledger.ts',
    find: 'isHeldBy: (piece, by) => holders.of(piece).some((transfer) => transfer.by.source.id === by)',
    replace: 'isHeldBy: (piece) => holders.of(piece).length > 0',
    tests: [inMemory('pe04.stall')],
  },
  {
    name: 'pe04-stall-deaf',
    file: 'src/sources/mesh/downloads.ts',
    find: 'if (isDeaf) this.#options.onDeaf(CANCEL_MS)',
    replace: 'void isDeaf',
    tests: [inMemory('pe04.stall: a peer that keeps us waiting')],
  },
  {
    name: 'pe05-bitfield',
    file: 'src/sources/mesh/peer-session.ts',
    find: '!this.#topics.withdraw(topic, piece)',
    replace: '(topic + piece < 0)',
    tests: [inMemory('pe05.bitfield')],
  },
  {
    name: 'pe05-bitfield-recant',
    file: 'src/sources/mesh/strike-out.ts',
    find: 'return this.#pardons-- > 0',
    replace: 'return this.#pardons > 0',
    tests: [inMemory('pe05.bitfield: a peer that takes back')],
  },
  {
    name: 'pe05-bitfield-choke',
    file: 'src/sources/mesh/strike-out.ts',
    find: 'return this.#clock.monotonicMs() < (this.#until.get(fingerprint) ?? 0) ?',
    replace: 'return fingerprint.length === 0 ?',
    tests: [inBook('is left alone for a minute')],
  },
  {
    name: 'pe06-unsolicited',
    file: 'src/sources/mesh/downloads.ts',
    find: 'const UNSOLICITED_BYTES = 64 * 1024',
    replace: 'const UNSOLICITED_BYTES = Infinity',
    tests: [inSession('pe06.unsolicited')],
  },
  {
    name: 'pe07-frames',
    file: 'src/core/wire/peer-frame.ts',
    find: 'bytes.length < HEADER_BYTES || bytes.length > LIMITS.frameBytes',
    replace: 'bytes.length > LIMITS.frameBytes',
    tests: [{ project: 'unit', file: 'test/fuzz/frames.test.ts', named: 'pe07.frames' }],
  },
  {
    name: 'pe09-eclipse',
    file: 'src/scheduler/delivery-state.ts',
    find: 'if (admitted.has(admissionOf(source))) return true',
    replace: "if (admitted.has(admissionOf(source))) return source.tier === 'mesh' || !admitted.has('mesh')",
    tests: [inMemory('pe09.eclipse')],
  },
  {
    name: 'pe10-onward',
    file: 'src/engine/seeds.ts',
    find: ' === actual) return bytes',
    replace: ' !== undefined) return bytes',
    tests: [{ project: 'unit', file: 'test/engine/seeds.test.ts', named: 'pe10.onward' }],
  },
  {
    name: 'pe11-flag',
    file: 'src/engine/resolve.ts',
    find: 'if (entry.mesh) return policy',
    replace: 'if (entry.mesh || policy) return policy',
    tests: [{ project: 'unit', file: 'test/engine/artifact.test.ts', named: 'pe11.flag' }],
  },
  {
    name: 'pe12-endgame',
    file: 'src/scheduler/ledger.ts',
    find: 'isHeldBy: (piece, by) => holders.of(piece).some((transfer) => transfer.by.source.id === by)',
    replace: 'isHeldBy: (piece) => holders.of(piece).length > 0',
    tests: [inMemory('pe12.endgame')],
  },
  {
    name: 'pe13-slow-reader',
    file: 'src/sources/mesh/uploads.ts',
    find: 'nowMs - upload.movedAtMs > SLOW_READER_MS',
    replace: 'false',
    tests: [{ project: 'unit', file: 'test/sources/mesh/uploads.test.ts', named: 'pe13.slow-reader' }],
  },
  {
    name: 'pe14-replay',
    file: 'src/sources/mesh/downloads.ts',
    find: "if (download === undefined) return this.#options.refuse('the end of nothing')",
    replace: 'if (download === undefined) return',
    tests: [inMemory('pe14.replay')],
  },
  {
    name: 'sg02-fingerprint',
    file: 'src/sources/mesh/handshake.ts',
    find: "proofOf(link.isInitiator ? 'answerer' : 'offerer', theirNonce))) return true",
    replace: "proofOf(link.isInitiator ? 'answerer' : 'offerer', theirNonce)) || theirNonce.length > 0) return true",
    tests: [inSession('sg02.fingerprint')],
  },
  {
    name: 'sg03-sdp',
    file: 'src/sources/mesh/negotiation-filter.ts',
    find: 'PRINTABLE.test(line) && ',
    replace: '',
    tests: [inFilter('sg03.sdp')],
  },
  {
    name: 'sg04-candidates',
    file: 'src/sources/mesh/negotiation-filter.ts',
    find: "  ['127.0.0.0', 8, 'none'],\n",
    replace: '',
    tests: [inBrowser('sg04.candidates')],
  },
  {
    name: 'sg05-late',
    file: 'src/sources/mesh/simple-peer-link.ts',
    find: "if (this.#state !== 'connecting') return\n    try {",
    replace: "if (this.#state === 'closed') return\n    try {",
    tests: [inBrowser('sg05.late')],
  },
  {
    name: 'request-flood',
    file: 'src/sources/mesh/uploads.ts',
    find: "if (this.#refusals.take(1, this.#options.clock.monotonicMs()) === 0) return this.#options.refuse('a flood of requests')",
    replace: 'void 0',
    tests: [inMemory('a flood of requests')],
  },
  {
    name: 'coarse-clock',
    file: 'src/sources/mesh/keep-alive.ts',
    find: '|| this.#heardFrames > heardFrames',
    replace: '|| this.#heardAtMs > clock.monotonicMs() - deadlineMs',
    tests: [inSession('an answer within one tick')],
  },
]
