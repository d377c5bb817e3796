import { DeliveryError, register, type Sealift } from 'sealift/page'
import { createArtifactCard } from './artifact-card.ts'
import { loadDemoFacts } from './demo-facts.ts'
import { button, byId, el } from './dom.ts'
import { createLog, type Log } from './log.ts'
import { showMeshPanel } from './mesh-panel.ts'
import { showSwitches } from './switches.ts'
import { catalogueWords } from './verdict.ts'
import { refusalWords } from './words.ts'

declare global {
  interface Window {
    /** For the console: the same object that the buttons of this page use. */
    sealift?: Sealift
  }
}

const LIST_DEADLINE_MS = 15_000

async function start(): Promise<void> {
  const log = createLog(byId('log'))
  const facts = await loadDemoFacts()
  showSwitches(byId('switches'), facts, log)
  const isPeer = location.origin === new URL(facts.peerUrl).origin
  byId('visit').textContent = `This page is ${location.origin}${isPeer ? ', the peer' : ', the portal'}.`
  // "Open a peer" was a request to share, made on the other page.
  const isInvited = location.hash === '#share'
  if (isPeer) document.title = `Peer · ${document.title}`
  const sealift = await register(isInvited ? { mesh: { consent: true } } : {})
  window.sealift = sealift
  showMeshPanel(byId('mesh'), { sealift, facts, log })
  await showArtifacts(sealift, log)
  log.write({ text: 'Ready: start a download, then take something down', mood: 'plain' })
}

async function showArtifacts(sealift: Sealift, log: Log): Promise<void> {
  const root = byId('artifacts')
  try {
    const { catalogue, artifacts } = await sealift.list(AbortSignal.timeout(LIST_DEADLINE_MS))
    const bySize = artifacts.filter((listed) => !listed.isYanked && !listed.isDenied).toSorted((a, b) => b.sizeBytes - a.sizeBytes)
    root.replaceChildren(
      ...bySize.map((listed) => createArtifactCard(listed, sealift, log)),
      el('p', { class: 'hint' }, catalogueWords(catalogue)),
    )
  } catch (error) {
    root.replaceChildren(
      el('p', { class: 'news bad', role: 'alert' }, explain(error)),
      button('Try again', () => void showArtifacts(sealift, log)),
    )
  }
}

function explain(error: unknown): string {
  if (error instanceof DeliveryError) return `${refusalWords(error.code)} ${error.nextStep} [${error.message}]`
  return `The catalogue could not be read: ${String(error)}`
}

start().catch((error: unknown) => {
  byId('artifacts').replaceChildren(el('p', { class: 'news bad', role: 'alert' }, explain(error)))
})
