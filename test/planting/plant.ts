import type { Weakness } from './weakness.ts'

/**
 * The file's text with the weakness in it.
 * @throws {TypeError} for a row that says nothing, or is stale: its text is gone, or stands there more than once
 */
export function plantInto(text: string, { name, file, find, replace }: Weakness): string {
  if (find === '' || find === replace) throw new TypeError(`${name}: changes nothing`)
  const parts = text.split(find)
  if (parts.length !== 2) throw new TypeError(`${name}: stale, since its text stands ${parts.length - 1} times in ${file}, expected once`)
  return parts.join(replace)
}

/** The rows to run. @throws {TypeError} for two of one name, or when `only` names what is neither a row nor an area */
export function chooseWeaknesses(areas: ReadonlyMap<string, readonly Weakness[]>, only: readonly string[]): readonly Weakness[] {
  const all = [...areas.values()].flat()
  const twice = all.find(({ name }, i) => all.findIndex((other) => other.name === name) !== i)
  if (twice !== undefined) throw new TypeError(`two weaknesses are named ${twice.name}`)
  for (const wanted of only) {
    if (!areas.has(wanted) && !all.some(({ name }) => name === wanted)) throw new TypeError(`no weakness and no area is named ${wanted}`)
  }
  if (only.length === 0) return all
  const inAreas = new Set(only.flatMap((area) => areas.get(area) ?? []))
  return all.filter((weakness) => inAreas.has(weakness) || only.includes(weakness.name))
}
