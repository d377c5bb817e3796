import { houseKeyOf, lanKeyOf, limitKeyOf, networkOf } from './address.ts'
import type { SignalingLimits } from './limits.ts'
import { takeToken, type TokenRate } from './token-bucket.ts'

/** Where sockets come from: the same object for all of one address. */
export interface Address {
  /** What limits are counted by. */
  readonly key: string
  /** The same, salted and hashed: what rooms know an address by. */
  readonly houseKey: string
  readonly lanKey: string
}

/** Counts sockets per address, and slows whoever opens them too fast. */
export interface AddressBook {
  /** Addresses remembered now. */
  readonly size: number
  /** The address, if one more socket may be opened from it; call before `add`. @param text as the request has it */
  admit(text: string, nowMs: number): Address | undefined
  /** Sockets open from the addresses of this key. */
  socketsOf(key: string): number
  add(address: Address): void
  remove(address: Address): void
  /** For those who come from now on. */
  useSalt(salt: Uint8Array): void
  /** Forgets addresses that have no socket and used no rate lately. */
  sweep(nowMs: number): void
}

interface Entry {
  /** All that is kept of where its LAN key is from. */
  readonly network: string
  address: Address
  sockets: number
  fullAtMs: number
}

/** @param salt so that keys of addresses cannot be compared over time */
export function createAddressBook(limits: SignalingLimits, salt: Uint8Array): AddressBook {
  return new MemoryAddressBook(limits, salt)
}

class MemoryAddressBook implements AddressBook {
  readonly #limits: SignalingLimits
  readonly #rate: TokenRate
  readonly #entries = new Map<string, Entry>()
  #salt: Uint8Array

  constructor(limits: SignalingLimits, salt: Uint8Array) {
    this.#limits = limits
    this.#rate = { burst: limits.upgradeBurst, perSecond: limits.upgradesPerSecond }
    this.#salt = salt
  }

  get size(): number {
    return this.#entries.size
  }

  admit(text: string, nowMs: number): Address | undefined {
    const key = limitKeyOf(text)
    const entry = this.#entries.get(key) ?? this.#newEntry(key, networkOf(text))
    if (entry.sockets >= this.#limits.connectionsPerAddress) return undefined
    const fullAtMs = takeToken(this.#rate, entry.fullAtMs, nowMs)
    if (fullAtMs === undefined) return undefined
    entry.fullAtMs = fullAtMs
    this.#entries.set(key, entry)
    return entry.address
  }

  socketsOf(key: string): number {
    return this.#entries.get(key)?.sockets ?? 0
  }

  add({ key }: Address): void {
    const entry = this.#entries.get(key)
    if (entry !== undefined) entry.sockets++
  }

  remove({ key }: Address): void {
    const entry = this.#entries.get(key)
    if (entry !== undefined) entry.sockets--
  }

  useSalt(salt: Uint8Array): void {
    this.#salt = salt
    // Not changed in place: rooms have those who are there already under the old one.
    for (const [key, entry] of this.#entries) entry.address = this.#addressOf(key, entry.network)
  }

  sweep(nowMs: number): void {
    for (const [key, { sockets, fullAtMs }] of this.#entries) if (sockets === 0 && fullAtMs <= nowMs) this.#entries.delete(key)
  }

  #newEntry(key: string, network: string): Entry {
    return { network, address: this.#addressOf(key, network), sockets: 0, fullAtMs: 0 }
  }

  #addressOf(key: string, network: string): Address {
    return { key, houseKey: houseKeyOf(key, this.#salt), lanKey: lanKeyOf(network, this.#salt) }
  }
}
