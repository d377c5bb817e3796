import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startSignaling, type SignalingServer } from '../../signaling/server.ts'
import type { TurnOptions } from '../../signaling/turn.ts'
import { nowSeconds } from '../../src/core/clock.ts'
import { mintTicket } from '../../src/core/wire/ticket.ts'
import { systemClock } from '../../src/node/system-clock.ts'
import { startSite, type Publication, type Site, type SiteChoices } from './site.ts'

/** A site whose pages may meet: signaling for members, and a ticket for each visitor. */
export interface MeshSite extends Site {
  readonly signaling: SignalingServer
  /** A ticket of this site in a file, as an operator hands it to a seed. */
  readonly ticketFile: string
}

export interface MeshChoices extends SiteChoices {
  /** In place of the signaling server's own. */
  readonly signalingUrls?: (url: string) => readonly string[]
  readonly mode?: 'lan' | 'full'
  /** A relay that the site names, and signaling gives credentials for. Default: none. */
  readonly turn?: Pick<TurnOptions, 'urls' | 'secret'>
  /** More origins that its pages are opened from. */
  readonly moreOrigins?: readonly string[]
}

const KEY = { kid: 'test', secret: new Uint8Array(32).fill(5) }
const SWARM_KEY = new Uint8Array(32).fill(6)
const LIFETIME_SECONDS = 30 * 86_400

export async function startMeshSite(publication: Publication, choices: MeshChoices = {}): Promise<MeshSite> {
  const site = await startSite(publication, choices)
  const origin = new URL(site.url).origin
  const { turn } = choices
  const signaling = await startSignaling({
    admission: { kind: 'ticket', keys: [KEY] },
    origins: [origin, ...(choices.moreOrigins ?? [])],
    ...(turn === undefined ? {} : { turn }),
  })
  const ticket = mintTicket(
    { site: origin, role: 'seed', swarmKey: SWARM_KEY, lifetimeSeconds: LIFETIME_SECONDS, jti: 'a-ticket-of-tests' },
    KEY,
    nowSeconds(systemClock),
  )
  const dir = await mkdtemp(join(tmpdir(), 'sealift-ticket-'))
  const ticketFile = join(dir, 'ticket')
  await writeFile(ticketFile, ticket)
  const config: object = JSON.parse(site.files.get('/sealift.json')?.body ?? '{}')
  const mesh = {
    mode: choices.mode ?? 'lan',
    signaling: choices.signalingUrls?.(signaling.url) ?? [signaling.url],
    ticketUrl: '/ticket',
    iceServers: turn?.urls.map((urls) => ({ urls })),
  }
  site.files.set('/sealift.json', { type: 'application/json', body: JSON.stringify({ ...config, mesh }) })
  site.files.set('/ticket', { type: 'text/plain', body: ticket })
  return {
    ...site,
    signaling,
    ticketFile,
    close: async () => {
      await signaling.kill()
      await site.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
