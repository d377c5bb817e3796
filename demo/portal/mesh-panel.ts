import type { PeerStats, Sealift } from 'sealift/page'
import { button, el } from './dom.ts'
import type { DemoFacts } from './demo-facts.ts'
import type { Log } from './log.ts'
import { showPairingPanel } from './pairing-panel.ts'
import { formatBytes } from './words.ts'

const LOOK_AGAIN_MS = 1000
const PAIRS: Readonly<Record<string, string>> = { lan: 'this network', wan: 'the internet', relay: 'a relay', unknown: 'not known yet' }

/** Consent, who is connected, and a button that makes a peer. */
export function showMeshPanel(root: HTMLElement, room: { readonly sealift: Sealift; readonly facts: DemoFacts; readonly log: Log }): void {
  const { sealift, facts, log } = room
  const consent = el('input', { type: 'checkbox', id: 'consent' })
  consent.checked = sealift.mesh.hasConsent
  consent.addEventListener('change', () => {
    sealift.mesh.setConsent(consent.checked)
    log.write({ text: consent.checked ? 'You allowed sharing verified files with peers' : 'Sharing with peers is off', mood: 'plain' })
  })
  const there = location.origin === new URL(facts.portalUrl).origin ? facts.peerUrl : facts.portalUrl
  const open = button('Open a peer', () => window.open(`${there}#share`, '_blank', 'noopener'))
  const table = el('tbody')
  const stats = el(
    'table',
    { hidden: true },
    el('thead', {}, el('tr', {}, ...['Peer', 'Over', 'Sent', 'Received'].map((name) => el('th', { scope: 'col' }, name)))),
    table,
  )
  const status = el('p', { class: 'hint' })
  root.replaceChildren(
    el('label', { class: 'check' }, consent, 'Give verified files to peers, and take pieces from them'),
    el(
      'p',
      { class: 'hint' },
      'A peer is this page under another origin: it has a storage of its own, as another machine would. Download there, then take everything down here.',
    ),
    open,
    status,
    stats,
    showPairingPanel({ sealift, log }),
  )
  const look = async (): Promise<void> => {
    const peers = consent.checked ? await sealift.mesh.stats() : []
    status.textContent = statusWords(consent.checked, peers.length, sealift.mesh.isLeader)
    stats.hidden = peers.length === 0
    table.replaceChildren(...peers.map(peerRow))
  }
  const lookSafely = (): void => {
    look().catch(() => (status.textContent = 'The mesh does not answer.'))
  }
  sealift.mesh.onChange(lookSafely)
  setInterval(lookSafely, LOOK_AGAIN_MS)
  lookSafely()
}

function statusWords(isOn: boolean, peers: number, isLeader: boolean): string {
  if (!isOn) return 'Off: no connection to anybody.'
  if (peers > 0) return ''
  return isLeader ? 'On. Peers are looked for when a download needs them.' : 'On. Another tab of this origin keeps the connections.'
}

function peerRow({ peer, pair, sentBytes, receivedBytes }: PeerStats): HTMLElement {
  const cells = [peer.replace(/^peer:/, '').slice(0, 8), PAIRS[pair] ?? pair, formatBytes(sentBytes), formatBytes(receivedBytes)]
  return el('tr', {}, ...cells.map((cell) => el('td', {}, cell)))
}
