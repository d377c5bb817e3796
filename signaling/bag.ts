/**
 * A set of which some can be drawn by chance, however many there are. An item keeps its place in it itself, in a field that is this bag's alone:
 * a map of places would be an entry more for every member of every room.
 */
export class Bag<Field extends string, T extends { [Name in Field]: number | undefined }> {
  readonly #field: Field
  readonly #items: T[] = []

  /** @param field where items keep their places; undefined in those that are not in it */
  constructor(field: Field) {
    this.#field = field
  }

  get size(): number {
    return this.#items.length
  }

  /** A copy. */
  get all(): readonly T[] {
    return [...this.#items]
  }

  add(item: T): void {
    if (item[this.#field] !== undefined) return
    this.#setPlace(item, this.#items.length)
    this.#items.push(item)
  }

  delete(item: T): void {
    const place = item[this.#field]
    if (place === undefined) return
    const last = this.#items.pop()
    if (last !== undefined && last !== item) {
      this.#items[place] = last
      this.#setPlace(last, place)
    }
    this.#setPlace(item, undefined)
  }

  /**
   * Different ones in no order; all of them, when there are no more.
   * @param random 0 to below 1
   */
  draw(most: number, random: () => number): readonly T[] {
    const { length } = this.#items
    if (length <= most) return this.all
    // R. W. Floyd's way: each subset of this size is as likely as any other, and no draw is wasted. J. Bentley, "Programming Pearls", CACM 30 (9), 1987.
    // A list, since so few are drawn that looking through them is sooner done than hashing.
    const places: number[] = []
    const drawn: T[] = []
    for (let last = length - most; last < length; last++) {
      const any = Math.floor(random() * (last + 1))
      const place = places.includes(any) ? last : any
      const item = this.#items[place]
      if (item === undefined) throw new RangeError('expected random() to be 0 to below 1')
      places.push(place)
      drawn.push(item)
    }
    return drawn
  }

  #setPlace(item: { [Name in Field]: number | undefined }, place: number | undefined): void {
    item[this.#field] = place
  }
}
