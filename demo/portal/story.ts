import type { ArtifactFacts, CatalogueFacts, DeliveryEvent, SignatureVerdict } from 'sealift/page'
import { capital, formatBytes, delayWords, listWords, plural, sourceKey, sourceName, troubleWords } from './words.ts'

/** One line for the log. */
export interface Line {
  readonly text: string
  readonly mood: 'plain' | 'bad' | 'good'
}

/** What has become of one download so far, told from its events. Time is given, in milliseconds of one clock. */
export interface Story {
  readonly artifact: ArtifactFacts | undefined
  readonly catalogue: CatalogueFacts | undefined
  readonly verdicts: readonly SignatureVerdict[]
  /** For each piece who served it; undefined while it is missing. */
  readonly pieces: readonly (string | undefined)[]
  readonly verifiedBytes: number
  /** The last time that something went wrong, and who went on. */
  readonly news: { readonly text: string; readonly isOver: boolean } | undefined
  /** @returns lines for the log */
  tell(event: DeliveryEvent, nowMs: number): readonly Line[]
  /** How it goes, in one line. */
  headline(nowMs: number): string
  counts(): ReadonlyMap<string, number>
}

/** A source that served a piece so lately is at work. */
const ACTIVE_MS = 1500
const SPEED_WINDOW_MS = 2000
const RETURN_MS = 700

interface Trouble {
  /** All that failed before anybody went on. */
  readonly keys: ReadonlySet<string>
  readonly atMs: number
  readonly words: string
  readonly kept: number
  /** Nobody else has delivered since. */
  isOpen: boolean
}

export function createStory(): Story {
  return new EventStory()
}

class EventStory implements Story {
  artifact: ArtifactFacts | undefined
  catalogue: CatalogueFacts | undefined
  verdicts: readonly SignatureVerdict[] = []
  pieces: (string | undefined)[] = []
  verifiedBytes = 0
  news: { readonly text: string; readonly isOver: boolean } | undefined
  #phase = 'resolving'
  #trouble: Trouble | undefined
  readonly #lastServedMs = new Map<string, number>()
  readonly #inTrouble = new Map<string, number>()
  readonly #everServed = new Set<string>()
  readonly #speed: { readonly atMs: number; readonly bytes: number }[] = []

  tell(event: DeliveryEvent, nowMs: number): readonly Line[] {
    switch (event.kind) {
      case 'phase':
        this.#phase = event.phase
        return []
      case 'resolved':
        return this.#onResolved(event)
      case 'progress':
        return this.#onProgress(event, nowMs)
      case 'trouble':
        return this.#onTrouble(event, nowMs)
      case 'signed':
        this.verdicts = event.verdicts
        return [{ text: `Signatures checked: ${plural(event.verdicts.length, 'bundle')} in order`, mood: 'plain' }]
    }
  }

  headline(nowMs: number): string {
    if (this.#phase === 'paused') return `Paused. ${capital(this.#keptWords())}.`
    if (this.#phase === 'resolving') return 'Reading and checking the catalogue and the manifest …'
    if (this.#phase === 'waiting') return `Another tab is fetching it: ${formatBytes(this.verifiedBytes)} so far …`
    if (this.#phase === 'checking') return 'All pieces are here. Checking the whole file …'
    const active = [...this.#lastServedMs].filter(([, atMs]) => nowMs - atMs < ACTIVE_MS).map(([key]) => sourceName(key))
    const rate = this.#bytesPerSecond(nowMs)
    if (active.length === 0) return this.#isUntouched() ? 'Asking the sources …' : `Waiting for a source. ${capital(this.#keptWords())}.`
    if (rate === 0) return `From ${listWords(active)}`
    const leftBytes = (this.artifact?.sizeBytes ?? this.verifiedBytes) - this.verifiedBytes
    return `From ${listWords(active)} · ${formatBytes(rate)}/s · ${Math.ceil(leftBytes / rate)} s left`
  }

  counts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const key of this.pieces) if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1)
    return counts
  }

  #onResolved(event: Extract<DeliveryEvent, { readonly kind: 'resolved' }>): readonly Line[] {
    // Resolved again after a pause: who served the pieces so far is known better than "kept".
    const before = this.artifact?.sha256 === event.artifact.sha256 ? this.pieces : []
    this.artifact = event.artifact
    this.catalogue = event.catalogue
    this.pieces = Array.from({ length: event.artifact.pieceCount }, () => undefined)
    for (const span of event.kept) this.pieces.fill('kept', span.start, span.end)
    const kept = this.#keptCount()
    this.pieces = this.pieces.map((piece, at) => (piece === undefined ? undefined : (before[at] ?? piece)))
    this.verifiedBytes = Math.min(kept * event.artifact.pieceLengthBytes, event.artifact.sizeBytes)
    this.#speed.length = 0
    if (kept === 0 || before.length > 0) return []
    return [{ text: `${event.artifact.name}: ${plural(kept, 'piece')} of an earlier visit still here, not fetched again`, mood: 'good' }]
  }

  #onProgress(event: Extract<DeliveryEvent, { readonly kind: 'progress' }>, nowMs: number): readonly Line[] {
    const lines: Line[] = []
    for (const span of event.pieces) {
      const key = sourceKey(span.source, span.tier)
      lines.push(...this.#delivered(key, nowMs))
      this.#lastServedMs.set(key, nowMs)
      this.pieces.fill(key, span.start, span.end)
    }
    this.verifiedBytes = event.verifiedBytes
    this.#speed.push({ atMs: nowMs, bytes: event.verifiedBytes })
    return lines
  }

  #delivered(key: string, nowMs: number): readonly Line[] {
    const trouble = this.#trouble
    const name = capital(sourceName(key))
    const isFirst = !this.#everServed.has(key)
    this.#everServed.add(key)
    if (trouble?.isOpen === true && !trouble.keys.has(key)) {
      trouble.isOpen = false
      const goesOn = `${name} ${key === 'mesh' ? 'go' : 'goes'} on, ${delayWords(nowMs - trouble.atMs)}`
      const kept = trouble.kept === 0 ? '' : ` Nothing is lost: ${plural(trouble.kept, 'piece')} kept.`
      this.news = { text: `${trouble.words}.${kept} ${goesOn}.`, isOver: true }
      return [{ text: goesOn, mood: 'good' }]
    }
    const brokenMs = this.#inTrouble.get(key)
    if (brokenMs !== undefined) {
      // Pieces that were on their way when it failed are no return.
      if (nowMs - brokenMs < RETURN_MS) return []
      this.#inTrouble.delete(key)
      return [{ text: `${name} ${key === 'mesh' ? 'deliver' : 'delivers'} again`, mood: 'plain' }]
    }
    return isFirst ? [{ text: `${name}: first piece`, mood: 'plain' }] : []
  }

  #onTrouble(event: Extract<DeliveryEvent, { readonly kind: 'trouble' }>, nowMs: number): readonly Line[] {
    const key = sourceKey(event.source, event.tier)
    // One fault of a source shows in each of its requests; people want to read it once.
    if (this.#inTrouble.has(key)) return []
    this.#inTrouble.set(key, nowMs)
    this.#lastServedMs.delete(key)
    const words = `${troubleWords(key, event.failure)}${event.isBanned && key !== 'mesh' ? ', and is not asked again' : ''}`
    const open = this.#trouble?.isOpen === true ? this.#trouble : undefined
    this.#trouble = {
      keys: new Set([...(open?.keys ?? []), key]),
      atMs: open?.atMs ?? nowMs,
      words: open === undefined ? words : `${open.words}. ${words}`,
      kept: this.#keptCount(),
      isOpen: true,
    }
    this.news = { text: `${this.#trouble.words}. ${capital(this.#keptWords())}.`, isOver: false }
    return [{ text: `${words}; ${this.#keptWords()}`, mood: 'bad' }]
  }

  #isUntouched(): boolean {
    return this.#lastServedMs.size === 0 && this.#trouble === undefined
  }

  #keptCount(): number {
    return this.pieces.filter((piece) => piece !== undefined).length
  }

  #keptWords(): string {
    return `${this.#keptCount()} of ${plural(this.pieces.length, 'piece')} kept`
  }

  #bytesPerSecond(nowMs: number): number {
    const speed = this.#speed
    while ((speed[0]?.atMs ?? nowMs) < nowMs - SPEED_WINDOW_MS) speed.shift()
    const [first] = speed
    return first === undefined || nowMs - first.atMs < 200 ? 0 : ((this.verifiedBytes - first.bytes) * 1000) / (nowMs - first.atMs)
  }
}
