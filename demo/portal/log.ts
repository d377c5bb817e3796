import { el } from './dom.ts'
import type { Line } from './story.ts'

export interface Log {
  write(...lines: readonly Line[]): void
}

const MOST_LINES = 200

/** What happened, newest first. */
export function createLog(list: HTMLElement): Log {
  return {
    write(...lines) {
      for (const { text, mood } of lines) {
        const time = new Date().toLocaleTimeString(undefined, { hour12: false })
        list.prepend(el('li', { class: mood }, el('time', {}, time), text))
      }
      while (list.children.length > MOST_LINES) list.lastElementChild?.remove()
    },
  }
}
