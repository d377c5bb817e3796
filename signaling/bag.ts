/** A set of which some can be drawn by chance, however many there are. */
export class Bag<T> {
  readonly #items: T[] = []
  readonly #places = new Map<T, number>()

  get size(): number {
    return this.#items.length
  }

  add(item: T): void {
    if (this.#places.has(item)) return
    this.#places.set(item, this.#items.length)
    this.#items.push(item)
  }

  delete(item: T): void {
    const place = this.#places.get(item)
    const last = this.#items.pop()
    if (place === undefined || last === undefined) {
      if (last !== undefined) this.#items.push(last)
      return
    }
    this.#places.delete(item)
    if (last === item) return
    this.#items[place] = last
    this.#places.set(last, place)
  }

  /**
   * Different ones in no order; all of them, when there are no more.
   * @param random 0 to below 1
   */
  draw(most: number, random: () => number): readonly T[] {
    const { length } = this.#items
    if (length <= most) return [...this.#items]
    // R. W. Floyd's way: each subset of this size is as likely as any other, and no draw is wasted. J. Bentley, "Programming Pearls", CACM 30 (9), 1987.
    // A list, since so few are drawn that looking through them is sooner done than hashing.
    const places: number[] = []
    for (let last = length - most; last < length; last++) {
      const place = Math.floor(random() * (last + 1))
      places.push(places.includes(place) ? last : place)
    }
    return places.flatMap((place) => this.#items.slice(place, place + 1))
  }
}
