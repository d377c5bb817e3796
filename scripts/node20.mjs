// Vitest 5 calls three built-ins that Node 20 lacks; without them a failing test crashes the reporter and its reason is lost.
const g = /** @type {any} */ (globalThis)

if (!g.Map.groupBy) {
  g.Map.groupBy = (/** @type {Iterable<unknown>} */ items, /** @type {(item: unknown, i: number) => unknown} */ keyOf) => {
    const groups = new Map()
    let i = 0
    for (const item of items) {
      const key = keyOf(item, i++)
      const group = groups.get(key)
      if (group) group.push(item)
      else groups.set(key, [item])
    }
    return groups
  }
}
if (!g.Object.groupBy) {
  g.Object.groupBy = (/** @type {Iterable<unknown>} */ items, /** @type {any} */ keyOf) => Object.fromEntries(g.Map.groupBy(items, keyOf))
}
if (!g.Promise.withResolvers) {
  g.Promise.withResolvers = () => {
    let resolve
    let reject
    const promise = new Promise((yes, no) => {
      resolve = yes
      reject = no
    })
    return { promise, resolve, reject }
  }
}
