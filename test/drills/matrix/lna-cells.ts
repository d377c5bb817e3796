import type { Browser } from 'puppeteer-core'
import { startSite } from '../../browser/site.ts'
import { startFaultServer, type FaultServer } from '../../faults/fault-server.ts'
import { sourcesOf } from '../evidence.ts'
import { demand } from '../scenario.ts'
import type { CellTools, MatrixCell, VariantOutcome } from './cell.ts'
import { makeCertificate, startTlsFront } from './certificate.ts'
import { downloadOnce, wastedBytesOf } from './download-once.ts'

type AddressSpace = 'public' | 'local' | 'loopback'

/** One way in which a portal stands to a gateway on http. */
interface Stand {
  readonly portal: 'public' | 'local'
  readonly gateway: AddressSpace
  /** What the user has said; undefined: nobody has asked, and a browser without a window says no. */
  readonly permission: 'granted' | 'denied' | undefined
  readonly isReached: boolean
  readonly does: string
}

/** An https portal whose LAN gateway speaks http, first in the order, with a CDN behind it: Local Network Access decides. */
export const lnaCells: readonly MatrixCell[] = (
  [
    [
      'L01 a portal on the same network',
      {
        portal: 'local',
        gateway: 'local',
        permission: undefined,
        isReached: true,
        does: 'the window fetches from the http gateway; no permission is needed',
      },
    ],
    [
      'L02 a public portal, a gateway on this machine, nobody asked',
      {
        portal: 'public',
        gateway: 'loopback',
        permission: undefined,
        isReached: false,
        does: 'no request reaches the gateway; the next source delivers',
      },
    ],
    [
      'L03 a public portal, a gateway on the LAN, nobody asked',
      { portal: 'public', gateway: 'local', permission: undefined, isReached: false, does: 'the same' },
    ],
    [
      'L04 a public portal, permission granted',
      { portal: 'public', gateway: 'local', permission: 'granted', isReached: true, does: 'the window fetches from the http gateway' },
    ],
    [
      'L05 a public portal, permission denied',
      {
        portal: 'public',
        gateway: 'local',
        permission: 'denied',
        isReached: false,
        does: 'the same as without an answer: nothing is asked again',
      },
    ],
  ] as const
).map(([name, stand]) => ({
  group: 'lna' as const,
  name,
  does: stand.does,
  limitMs: stand.isReached ? undefined : 100,
  run: async (tools: CellTools) => [await visitFrom(stand, tools)],
}))

const [PORTAL, CDN, GATEWAY] = ['portal.example', 'cdn.example', 'gateway.lan']
/** Names that the browser finds on loopback, since loopback itself is exempt and proves nothing. */
export const HOSTS: readonly string[] = [PORTAL, CDN, GATEWAY]
const PERMISSIONS = ['local-network', 'loopback-network', 'local-network-access']

async function visitFrom(stand: Stand, tools: CellTools): Promise<VariantOutcome> {
  const closers: (() => Promise<unknown>)[] = []
  const kept = async <T extends { close(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
    const started = await starting
    closers.push(() => started.close())
    return started
  }
  try {
    const { publication, isArtifact } = tools.room
    const certificate = await makeCertificate([PORTAL, CDN])
    const gateway = await kept(startFaultServer({ siteDir: publication.siteDir, isArtifact }))
    const cdn = await kept(startFaultServer({ siteDir: publication.siteDir, isArtifact }))
    const cdnFront = await kept(startTlsFront(certificate, cdn.port))
    const site = await kept(
      startSite(publication, {
        preset: 'lan-first',
        origins: [{ id: 'cdn', url: `https://${CDN}:${cdnFront.port}/` }],
        gateways: [
          { id: 'gateway', url: `http://${GATEWAY}:${gateway.port}/`, addressSpace: stand.gateway === 'loopback' ? 'loopback' : 'local' },
        ],
      }),
    )
    const portalFront = await kept(startTlsFront(certificate, Number(new URL(site.url).port)))
    const spaces: readonly (readonly [number, AddressSpace])[] = [
      [portalFront.port, stand.portal],
      [cdnFront.port, stand.portal],
      [gateway.port, stand.gateway],
      // The drill's own, which hashes what arrived.
      [Number(new URL(tools.room.receiver.url).port), stand.portal],
    ]
    const browser = await tools.launch([
      `--ignore-certificate-errors-spki-list=${certificate.pin}`,
      `--ip-address-space-overrides=${spaces.map(([port, space]) => `127.0.0.1:${port}=${space}`).join(',')}`,
    ])
    const url = `https://${PORTAL}:${portalFront.port}/`
    if (stand.permission !== undefined) await answerPrompt(browser, new URL(url).origin, stand.permission)
    return await judge({ stand, tools, browser, url, gateway })
  } finally {
    for (const close of closers.toReversed()) await close()
  }
}

async function answerPrompt(browser: Browser, origin: string, setting: 'granted' | 'denied'): Promise<void> {
  // What is said in a session is forgotten with it, so this one ends with its browser.
  const session = await browser.target().createCDPSession()
  for (const name of PERMISSIONS) await session.send('Browser.setPermission', { permission: { name }, setting, origin })
}

interface Judged {
  readonly stand: Stand
  readonly tools: CellTools
  readonly browser: Browser
  readonly url: string
  readonly gateway: FaultServer
}

async function judge({ stand, tools, browser, url, gateway }: Judged): Promise<VariantOutcome> {
  const { finished, record } = await downloadOnce(tools, {
    url,
    browser,
    artifact: tools.room.small,
    beforeStart: () => Promise.resolve(),
  })
  const sources = sourcesOf(record)
  const outcome = { fault: stand.permission ?? 'unasked', sources, wastedBytes: wastedBytesOf(record) }
  if (stand.isReached) {
    demand(sources.gateway > 0, `the gateway delivers, not ${JSON.stringify(record.sources)}`)
    return { ...outcome, recoveryMs: null }
  }
  demand(gateway.requests.length === 0, `no request reaches the gateway, not ${gateway.requests.length}`)
  const tally = record.sources.find(({ source }) => source === 'gateway')
  demand(tally?.failures.some(({ code }) => code === 'source-unreachable') === true, 'the record says that the gateway was not reached')
  // It may have failed while documents were fetched: then no piece is asked of it, and the clock starts with the pieces.
  const [fetching, trouble, first] = [
    finished.events.find(({ event }) => event.kind === 'phase' && event.phase === 'fetching'),
    finished.events.find(({ event }) => event.kind === 'trouble' && event.source === 'gateway'),
    finished.events.find(({ event }) => event.kind === 'progress' && event.pieces.some(({ source }) => source === 'cdn')),
  ]
  if (fetching === undefined || first === undefined) throw new Error('not so: the CDN delivers')
  return { ...outcome, recoveryMs: Math.max(0, first.atMs - (trouble ?? fetching).atMs) }
}
