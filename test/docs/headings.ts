import { existsSync, readFileSync } from 'node:fs'
import { join, normalize } from 'node:path'
import { packageRoot } from '../../src/node/package-root.ts'

/** Where a link to each heading of a page goes. */
function anchorsOf(page: string): ReadonlySet<string> {
  const anchors = new Set<string>()
  for (const [, heading = ''] of page.replaceAll(/^```.*?^```$/gms, '').matchAll(/^#+ (.+)$/gm)) {
    const words = heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    anchors.add(words.trim().replaceAll(' ', '-'))
  }
  return anchors
}

/**
 * Whether a link leads to a file of this repository and, where it names one, to a heading of it.
 * @param from folder of the page that has the link, from the root of the repository
 */
export function leadsSomewhere(link: string, from = ''): boolean {
  const [path = '', anchor] = link.split('#', 2)
  const file = join(packageRoot(), normalize(join(from, path)))
  if (!existsSync(file)) return false
  return anchor === undefined || anchorsOf(readFileSync(file, 'utf8')).has(anchor)
}
