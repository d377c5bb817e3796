import type { Command } from 'commander'
import { DeliveryError, describeFailure } from '../../core/errors.ts'
import { readConfig } from '../../node/verify/read-config.ts'
import { serveMetrics } from '../../node/metrics-server.ts'
import type { SeedEvent, SeededArtifact } from '../../node/seed/seed-event.ts'
import { createSeedMetrics } from '../../node/seed/seed-metrics.ts'
import { EXIT_HELP } from '../exit-codes.ts'
import { readPortal } from '../portal.ts'
import type { Terminal } from '../terminal.ts'
import { readText } from '../trust-options.ts'
import { parseUploadRate, parseUploadSlots } from '../upload-values.ts'
import { collect, parseDuration, parsePort } from '../values.ts'

interface Flags {
  readonly config?: string
  readonly portal?: string
  readonly site?: readonly string[]
  readonly signaling?: readonly string[]
  readonly ticket?: string
  readonly slots?: number
  readonly rate?: number
  readonly refresh: number
  readonly listen?: number
  readonly json?: boolean
}

const HELP = `
Runs until it is interrupted, then tells its peers that it leaves. What is published later is offered too: the site is looked at again.
WebRTC comes from an optional package: npm install @roamhq/wrtc@0.10.0

Example:
  sealift token ./secrets --site https://portal.example > seed.ticket
  sealift seed ./site --portal https://portal.example --ticket seed.ticket
  sealift seed ./installers/agent-1.2.3.msi --config sealift.json --site ./site --ticket seed.ticket --json`

export function addSeed(program: Command, terminal: Terminal): void {
  program
    .command('seed')
    .description('keep published artifacts available to browsers over WebRTC, as a peer that stays')
    .argument('<site-or-files...>', 'folder of the published layout, or artifacts that a catalogue lists')
    .option('--config <file-or-url>', "the portal's sealift.json: whom to trust, and where signaling is")
    .option('--portal <origin>', 'the portal; its /sealift.json is read unless --config is given')
    .option(
      '--site <dir-or-url>',
      'where the catalogue of single files is; default the origins of the configuration; repeat for several',
      collect,
    )
    .option('--signaling <url>', 'ws: or wss: URL, instead of those of the configuration; all are used; repeat for several', collect)
    .option('--ticket <file>', 'membership ticket, as `sealift token` prints it; not needed where admission is open')
    .option('--slots <number>', 'peers that are served at the same time; default 4', parseUploadSlots)
    .option(
      '--rate <bytes>',
      'most bytes in a second to all peers outside the local network together; default as fast as it goes',
      parseUploadRate,
    )
    .option('--refresh <duration>', 'how often the site is looked at again', parseDuration, 60)
    .option('--listen <port>', 'show metrics on this port of loopback, at /metrics', parsePort)
    .option('--json', 'print one JSON object for each event')
    .addHelpText('after', `${HELP}\n${EXIT_HELP}`)
    .action(async (places: readonly string[], flags: Flags, command: Command) => {
      const origin = readPortal(flags.portal, command)
      const place = flags.config ?? (origin === undefined ? undefined : `${origin}/sealift.json`)
      if (place === undefined) throw new DeliveryError({ code: 'input-invalid', path: '--config', detail: 'or --portal is needed' })
      const config = await readConfig(place, terminal.signal)
      const ticket = flags.ticket === undefined ? undefined : (await readText(flags.ticket)).trim()
      const watch = await openWatch(flags, terminal)
      // Loaded here: no other command needs WebRTC.
      const { runSeed } = await import('../../node/seed/seed.ts')
      try {
        await runSeed(
          {
            config,
            places,
            sites: flags.site,
            signalingUrls: flags.signaling,
            ticket,
            origin,
            upload: {
              ...(flags.slots === undefined ? {} : { slots: flags.slots }),
              ...(flags.rate === undefined ? {} : { wanBytesPerSecond: flags.rate }),
            },
            refreshMs: Math.max(1, flags.refresh) * 1000,
            log: watch.say,
          },
          terminal.signal,
        )
      } finally {
        await watch.close()
      }
    })
}

interface Watch {
  say(event: SeedEvent): void
  close(): Promise<void>
}

/** Says what happens, and counts it for whoever asks. */
async function openWatch({ listen, json }: Flags, terminal: Terminal): Promise<Watch> {
  const metrics = createSeedMetrics()
  const server = listen === undefined ? undefined : await serveMetrics(listen, metrics.render)
  if (server !== undefined) terminal.err(`metrics on ${server.url}\n`)
  return {
    say(event) {
      metrics.add(event)
      terminal.out(json === true ? `${JSON.stringify(event)}\n` : `${describe(event)}\n`)
    },
    close: async () => server?.close(),
  }
}

function describe(event: SeedEvent): string {
  switch (event.event) {
    case 'offered':
      return `offered    ${nameOf(event.artifact)}, verified`
    case 'refused':
      return `refused    ${nameOf(event.artifact)}: ${describeFailure(event.failure)}`
    case 'withdrawn':
      return `withdrawn  ${nameOf(event.artifact)}`
    case 'site-refused':
      return `site       not taken: ${describeFailure(event.failure)}`
    case 'signaling':
      return `signaling  ${event.isOnline ? 'on' : 'off'}  ${event.url}${event.failure === undefined ? '' : `  ${describeFailure(event.failure)}`}`
    case 'peer-met':
      return `met        ${event.peer}`
    case 'served':
      return `served     ${event.peer}  ${event.pieces} of ${event.pieceCount} pieces of ${nameOf(event.artifact)}`
    case 'peer-left':
      return `left       ${event.peer}  ${event.sentBytes} bytes sent`
    case 'ticket-ending':
      return `ticket     ends at ${new Date(event.expiresAtSeconds * 1000).toISOString()}: make another and start again before that`
  }
}

function nameOf({ name, version, platform }: SeededArtifact): string {
  return [name, version, platform].filter((word) => word !== undefined).join(' ')
}
