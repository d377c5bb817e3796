/**
 * How many pieces have to be looked at so that a place where this share of them is rotten is found out with this probability.
 * @param rot above 0 and below 1
 * @param confidence above 0 and below 1
 * @throws {RangeError}
 */
export function piecesToDraw({ rot, confidence }: { readonly rot: number; readonly confidence: number }): number {
  for (const [name, share] of Object.entries({ rot, confidence }))
    if (!(share > 0 && share < 1)) throw new RangeError(`expected a ${name} above 0 and below 1, got ${share}`)
  return Math.ceil(Math.log(1 - confidence) / Math.log(1 - rot))
}

/**
 * So many different numbers from 0 to `count` - 1, in order; all of them where there are no more. After R. W. Floyd: no list of all is made.
 * @param pick a number from 0 to `below` - 1, each as likely as the others
 */
export function drawNumbers(count: number, wanted: number, pick: (below: number) => number): readonly number[] {
  if (count <= wanted) return Array.from({ length: count }, (_, i) => i)
  const drawn = new Set<number>()
  for (let last = count - wanted; last < count; last++) {
    const number = pick(last + 1)
    drawn.add(drawn.has(number) ? last : number)
  }
  return [...drawn].toSorted((a, b) => a - b)
}
