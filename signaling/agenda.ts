import { Bag } from './bag.ts'

/** Something that is to be looked at at some time. Its place in the agenda is kept in it, see `Bag`. */
export interface Due {
  slot: number | undefined
  place: number | undefined
}

/** Who is to be looked at when: with ten thousand connections that wait, looking at each twice a second would be most of what the server does. */
export class Agenda<T extends Due> {
  readonly #slotMs: number
  readonly #slots = new Map<number, Bag<'place', T>>()
  #size = 0

  /** @param slotMs an item may be looked at so much before its time */
  constructor(slotMs: number) {
    this.#slotMs = slotMs
  }

  get size(): number {
    return this.#size
  }

  /** Everything in it. */
  get all(): readonly T[] {
    return [...this.#slots.values()].flatMap((bag) => bag.all)
  }

  set(item: T, atMs: number): void {
    const slot = Math.floor(atMs / this.#slotMs)
    if (item.slot === slot) return
    this.delete(item)
    const bag = this.#slots.get(slot) ?? new Bag('place')
    this.#slots.set(slot, bag)
    bag.add(item)
    item.slot = slot
    this.#size++
  }

  delete(item: T): void {
    if (item.slot === undefined) return
    const bag = this.#slots.get(item.slot)
    bag?.delete(item)
    if (bag?.size === 0) this.#slots.delete(item.slot)
    item.slot = undefined
    this.#size--
  }

  /** Looks at those whose time has come. @param look says when to look again; it may set or delete any item */
  sweep(nowMs: number, look: (item: T) => number): void {
    const now = Math.floor(nowMs / this.#slotMs)
    const due = [...this.#slots].filter(([slot]) => slot <= now)
    for (const [slot, bag] of due) {
      for (const item of bag.all) {
        // Deleted or moved meanwhile.
        if (item.slot !== slot) continue
        const atMs = look(item)
        if (item.slot === slot) this.set(item, atMs)
      }
    }
  }
}
