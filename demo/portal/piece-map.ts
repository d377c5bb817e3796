import { el } from './dom.ts'
import { capital, listWords, plural, sourceName } from './words.ts'

/** A square per piece, coloured by who served it, with a legend that says the same in words and numbers. */
export interface PieceMap {
  readonly element: HTMLElement
  show(pieces: readonly (string | undefined)[], counts: ReadonlyMap<string, number>): void
}

const LEGEND = ['cdn-1', 'cdn-2', 'gateway', 'mesh', 'kept']
/** Above this a square stands for several pieces. */
const MOST_SQUARES = 1000

export function createPieceMap(): PieceMap {
  const map = el('div', { class: 'map', role: 'img', 'aria-label': 'No piece yet' })
  const legend = el('ul', { class: 'key' })
  const entries = LEGEND.map((key) => {
    const count = el('span', {}, '0')
    const item = el(
      'li',
      { 'data-source': key, 'data-count': '0' },
      el('i', { 'data-source': key, 'aria-hidden': 'true' }),
      `${capital(sourceName(key))}: `,
      count,
    )
    legend.append(item)
    return { key, count, item }
  })
  let squares: HTMLElement[] = []
  return {
    element: el('div', {}, map, legend),
    show(pieces, counts) {
      const step = Math.ceil(pieces.length / MOST_SQUARES) || 1
      const wanted = Math.ceil(pieces.length / step)
      if (squares.length !== wanted) {
        squares = Array.from({ length: wanted }, () => el('i'))
        map.replaceChildren(...squares)
      }
      for (const [at, square] of squares.entries()) paint(square, pieces.slice(at * step, (at + 1) * step))
      for (const { key, count, item } of entries) {
        count.textContent = String(counts.get(key) ?? 0)
        item.dataset['count'] = count.textContent
      }
      const parts = [...counts].map(([key, count]) => `${count} from ${sourceName(key)}`)
      map.setAttribute('aria-label', parts.length === 0 ? 'No piece yet' : `${listWords(parts)}, of ${plural(pieces.length, 'piece')}`)
    },
  }
}

/** A square that stands for several is painted once all of them are there. */
function paint(square: HTMLElement, pieces: readonly (string | undefined)[]): void {
  const [key] = pieces
  const wanted = pieces.includes(undefined) ? undefined : key
  if (square.dataset['source'] === wanted) return
  if (wanted === undefined) delete square.dataset['source']
  else square.dataset['source'] = wanted
}
