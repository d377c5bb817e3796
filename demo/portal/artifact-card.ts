import { DeliveryError, type Download, type ListedArtifact, type Sealift } from 'sealift/page'
import { button, el, saveText } from './dom.ts'
import type { Log } from './log.ts'
import { createPieceMap } from './piece-map.ts'
import { createStory, type Story } from './story.ts'
import { verdictView } from './verdict.ts'
import { capital, formatBytes, formatSeconds, plural, refusalWords } from './words.ts'

const TICK_MS = 400
const NOT_STARTED = 'Not started.'

/** Which buttons make sense when. */
const SHOWN: Readonly<Record<'idle' | 'running' | 'paused' | 'done', readonly string[]>> = {
  idle: ['download', 'forget'],
  running: ['pause', 'cancel'],
  paused: ['resume', 'cancel'],
  done: ['save', 'record', 'forget'],
}

type Finished = Awaited<Download['result']>

/** One artifact: its download, its pieces, and what was found out about it. */
export function createArtifactCard(listed: ListedArtifact, sealift: Sealift, log: Log): HTMLElement {
  const card = new ArtifactCard(listed, sealift, log)
  return card.element
}

class ArtifactCard {
  readonly element: HTMLElement
  readonly #listed: ListedArtifact
  readonly #sealift: Sealift
  readonly #log: Log
  readonly #headline = el('p', { class: 'headline' }, NOT_STARTED)
  readonly #news = el('div', { class: 'news', role: 'status', hidden: true })
  readonly #progress: HTMLProgressElement
  readonly #map = createPieceMap()
  readonly #verdict = el('div')
  readonly #buttons: Readonly<Record<'download' | 'pause' | 'resume' | 'cancel' | 'save' | 'record' | 'forget', HTMLButtonElement>>
  #story: Story = createStory()
  #download: Download | undefined
  #finished: Finished | undefined
  #startedMs = 0

  constructor(listed: ListedArtifact, sealift: Sealift, log: Log) {
    this.#listed = listed
    this.#sealift = sealift
    this.#log = log
    this.#progress = el('progress', { max: '1', value: '0', 'aria-label': `Progress of ${listed.name}` })
    this.#buttons = {
      download: button('Download', () => this.#start(), { class: 'main' }),
      pause: button('Pause', () => this.#download?.pause()),
      resume: button('Resume', () => this.#download?.resume()),
      cancel: button('Cancel', () => this.#download?.cancel()),
      save: button('Save file', () => this.#finished?.save(), { class: 'main' }),
      record: button('Download record', () => this.#saveRecord()),
      forget: button('Clear stored copy', () => void this.#forget()),
    }
    this.element = this.#render()
    this.#show()
    this.#showButtons('idle')
  }

  #render(): HTMLElement {
    const { name, version, platform, sizeBytes } = this.#listed
    const facts = [version, platform, formatBytes(sizeBytes)].filter((fact) => fact !== undefined).join(' · ')
    const actions = el('div', { class: 'actions' }, ...Object.values(this.#buttons))
    return el(
      'article',
      { class: 'artifact', id: `artifact-${name}`, 'aria-label': name },
      el('div', { class: 'title' }, el('h3', {}, name), el('span', { class: 'facts' }, facts)),
      this.#headline,
      this.#news,
      this.#progress,
      this.#map.element,
      actions,
      this.#verdict,
    )
  }

  #start(): void {
    const { name, version, platform } = this.#listed
    const story = createStory()
    this.#story = story
    this.#finished = undefined
    this.#startedMs = performance.now()
    this.#verdict.replaceChildren()
    this.#news.hidden = true
    this.#log.write({ text: `${name}: download started`, mood: 'plain' })
    const download = this.#sealift.download(name, {
      version,
      ...(platform === undefined ? {} : { platform }),
      onEvent: (event) => {
        this.#log.write(...story.tell(event, performance.now()))
        this.#show()
        if (event.kind === 'phase') this.#showButtons(event.phase === 'paused' ? 'paused' : 'running')
      },
    })
    this.#download = download
    this.#showButtons('running')
    const tick = setInterval(() => this.#show(), TICK_MS)
    download.result
      .then(
        (finished) => this.#succeed(finished),
        (error: unknown) => this.#fail(error),
      )
      .finally(() => clearInterval(tick))
  }

  #succeed(finished: Finished): void {
    this.#finished = finished
    this.#download = undefined
    this.#show()
    const took = formatSeconds(performance.now() - this.#startedMs)
    this.#headline.textContent = `Verified and ready to save, after ${took}.`
    this.#progress.value = 1
    const { catalogue } = this.#story
    if (catalogue !== undefined) this.#verdict.replaceChildren(verdictView(finished.artifact, finished.record, catalogue))
    this.#log.write({ text: `${finished.artifact.name}: verified and ready to save`, mood: 'good' })
    this.#showButtons('done')
  }

  #fail(error: unknown): void {
    this.#download = undefined
    this.#show()
    const kept = this.#story.pieces.filter((piece) => piece !== undefined).length
    if (error instanceof DeliveryError) {
      const words = refusalWords(error.code)
      this.#headline.textContent = words
      this.#tell(`${words} ${error.nextStep}`, 'bad')
      this.#log.write({ text: `${this.#listed.name}: ${words} (${error.code}) ${error.nextStep}`, mood: 'bad' })
    } else {
      this.#headline.textContent = kept === 0 ? 'Cancelled.' : `Cancelled. ${capital(plural(kept, 'piece'))} kept for the next time.`
      this.#log.write({ text: `${this.#listed.name}: cancelled`, mood: 'plain' })
    }
    this.#showButtons('idle')
  }

  #show(): void {
    const story = this.#story
    if (this.#download !== undefined) this.#headline.textContent = story.headline(performance.now())
    this.#progress.value = story.artifact === undefined ? 0 : story.verifiedBytes / story.artifact.sizeBytes
    this.#map.show(story.pieces, story.counts())
    this.#map.element.hidden = story.artifact === undefined
    this.#progress.hidden = story.artifact === undefined
    if (story.news !== undefined) this.#tell(story.news.text, story.news.isOver ? 'good' : 'bad')
  }

  #tell(text: string, mood: 'good' | 'bad'): void {
    this.#news.hidden = false
    this.#news.className = `news ${mood}`
    // A live region speaks whenever it is written to, even the same words again.
    if (this.#news.textContent !== text) this.#news.textContent = text
  }

  #showButtons(state: keyof typeof SHOWN): void {
    const shown = new Set(SHOWN[state])
    const had = document.activeElement
    for (const [name, element] of Object.entries(this.#buttons)) element.hidden = !shown.has(name)
    // Whoever works with the keyboard must not lose their place when a button goes.
    if (had instanceof HTMLButtonElement && had.hidden && this.element.contains(had)) {
      this.element.querySelector<HTMLButtonElement>('.actions button:not([hidden])')?.focus()
    }
  }

  #saveRecord(): void {
    const record = this.#finished?.record
    if (record !== undefined) saveText(`${record.name}-${record.version}.record.json`, JSON.stringify(record, undefined, 2))
  }

  async #forget(): Promise<void> {
    try {
      await this.#sealift.forget(this.#listed.sha256)
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#story = createStory()
    this.#finished = undefined
    this.#verdict.replaceChildren()
    this.#news.hidden = true
    this.#show()
    this.#headline.textContent = NOT_STARTED
    this.#log.write({ text: `${this.#listed.name}: stored copy cleared`, mood: 'plain' })
    this.#showButtons('idle')
  }
}
