import { parseArgs } from 'node:util'
import { parseTicketKeys, type TicketKey } from 'sealift/protocol'
import { requireLoopback, type LoadPlan } from './plan.ts'

export const LOAD_USAGE = `Usage: npm run load -- --url ws://127.0.0.1:PORT/ [options]

Loads a signaling server on this machine: sockets open at a rate, say hello, join rooms; each asks one other for a
connection and is answered; then they idle, or some leave and come again.

  --url URL         of the server; nowhere but on loopback
  --sockets N       default 1000
  --rate N          sockets opened per second, default 500
  --room N          members of a room, default 50
  --origin ORIGIN   shown by all, default https://portal.example
  --key KID:SECRET  mints a ticket for each, where admission is not open
  --sdp BYTES       of an offer and of an answer, default 1500
  --idle SECONDS    how long they stay after that, default 5
  --churn N         of them leave and come again each second while they stay, default 0
  --dialect NAME    sealift (default), or tracker: what a WebTorrent tracker is asked
  --json            one line of JSON at the end
`

/** Bounds that a slip of the finger should not pass. */
const MOST = { sockets: 100_000, rate: 10_000, room: 1000, sdp: 8000, idle: 86_400, churn: 2000 }

export interface LoadOptions {
  readonly plan: LoadPlan
  readonly sockets: number
  readonly rate: number
  readonly idleSeconds: number
  readonly churn: number
  readonly isJson: boolean
}

/** @throws {Error} that names the option which is wrong */
export function readLoadOptions(args: readonly string[]): LoadOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      url: { type: 'string', default: '' },
      sockets: { type: 'string', default: '1000' },
      rate: { type: 'string', default: '500' },
      room: { type: 'string', default: '50' },
      origin: { type: 'string', default: 'https://portal.example' },
      key: { type: 'string' },
      sdp: { type: 'string', default: '1500' },
      idle: { type: 'string', default: '5' },
      churn: { type: 'string', default: '0' },
      dialect: { type: 'string', default: 'sealift' },
      json: { type: 'boolean', default: false },
    },
  })
  const number = (name: keyof typeof MOST, least: number): number => {
    const value = Number(values[name])
    if (!Number.isInteger(value) || value < least || value > MOST[name])
      throw new Error(`--${name}: expected a whole number from ${least} to ${MOST[name]}, got ${values[name]}`)
    return value
  }
  const { dialect } = values
  if (dialect !== 'sealift' && dialect !== 'tracker') throw new Error(`--dialect: expected sealift or tracker, got ${dialect}`)
  return {
    plan: {
      url: requireLoopback(values.url),
      dialect,
      origin: values.origin,
      roomSize: number('room', 1),
      sdpBytes: number('sdp', 1),
      key: keyOf(values.key),
    },
    sockets: number('sockets', 1),
    rate: number('rate', 1),
    idleSeconds: number('idle', 0),
    churn: number('churn', 0),
    isJson: values.json,
  }
}

function keyOf(text: string | undefined): TicketKey | undefined {
  // What was given is a secret: it is not quoted.
  return text === undefined ? undefined : parseTicketKeys(text, (detail) => new Error(`--key: ${detail}`))[0]
}
