/** `v` and a build part are allowed; any number of parts, so that `1.2` and `2026.11.20.1` have their place too. */
const NUMBERED = /^v?(\d+(?:\.\d+)*)(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?$/

/**
 * Orders versions for `sort`: below 0 when `a` is the older one. Zero only for equal text.
 * Numbered versions follow Semantic Versioning 2.0.0 §11, where missing parts count as 0. All others are older than any
 * numbered one, and are compared run by run: digits as numbers, the rest as text. What is still equal is ordered as text.
 */
export function compareVersions(a: string, b: string): number {
  const left = NUMBERED.exec(a)
  const right = NUMBERED.exec(b)
  if (left === null && right === null) return compareRuns(a, b) || compareText(a, b)
  if (left === null) return -1
  if (right === null) return 1
  return compareNumbered(left, right) || compareText(a, b)
}

function compareNumbered(left: RegExpExecArray, right: RegExpExecArray): number {
  const [, core = '', prerelease] = left
  const [, otherCore = '', otherPrerelease] = right
  return compareCores(core.split('.'), otherCore.split('.')) || comparePrereleases(prerelease, otherPrerelease)
}

function compareCores(left: readonly string[], right: readonly string[]): number {
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const order = compareDigits(left[i] ?? '0', right[i] ?? '0')
    if (order !== 0) return order
  }
  return 0
}

function comparePrereleases(left: string | undefined, right: string | undefined): number {
  if (left === right) return 0
  if (left === undefined) return 1
  if (right === undefined) return -1
  return compareLists(left.split('.'), right.split('.'))
}

function compareRuns(a: string, b: string): number {
  return compareLists(a.match(/\d+|\D+/g) ?? [], b.match(/\d+|\D+/g) ?? [])
}

/** Identifier by identifier; the longer list is newer when the shorter is its beginning. */
function compareLists(left: readonly string[], right: readonly string[]): number {
  for (const [i, identifier] of left.entries()) {
    const other = right[i]
    if (other === undefined) return 1
    const order = compareIdentifiers(identifier, other)
    if (order !== 0) return order
  }
  return left.length - right.length
}

/** Numbers are older than words. */
function compareIdentifiers(left: string, right: string): number {
  const isNumber = /^\d+$/.test(left)
  const isOtherNumber = /^\d+$/.test(right)
  if (isNumber && isOtherNumber) return compareDigits(left, right)
  if (isNumber !== isOtherNumber) return isNumber ? -1 : 1
  return compareText(left, right)
}

/** As text, since a date and a build number can be longer than a double is exact. */
function compareDigits(left: string, right: string): number {
  const a = left.replace(/^0+/, '')
  const b = right.replace(/^0+/, '')
  return a.length - b.length || compareText(a, b)
}

function compareText(left: string, right: string): number {
  if (left === right) return 0
  return left < right ? -1 : 1
}
