import type { Command } from 'commander'
import type { DrillReport, DrillResult } from '../../node/drill/run-drill.ts'
import { systemClock } from '../../node/system-clock.ts'
import { EXIT, EXIT_HELP } from '../exit-codes.ts'
import { Concluded, report, type Terminal } from '../terminal.ts'
import { collect, parseDuration, parseInteger } from '../values.ts'

interface Flags {
  readonly name?: string
  readonly only?: readonly string[]
  readonly script: string
  readonly worker: string
  readonly engine: string
  readonly config: string
  readonly scope: string
  readonly browser?: string
  readonly browserArg?: readonly string[]
  readonly timeout: number
  readonly minSuccess: number
  readonly json?: boolean
}

const HELP = `
Opens a page of the portal in a real browser, takes one thing after the other away from it, and sees whether it still gets a verified file.
The deployment is left alone: whatever fails, fails between this browser and the network. Which scenarios there are depends on what
sealift.json names; a tier that is missing counts as a failure. recovery is the time to the first verified piece from a place that was spared.
The browser is driven by an optional package: npm install puppeteer-core. It runs without its sandbox when started as root. Its proxy is open to
other programs of this machine for as long as the drill lasts.

Examples:
  sealift drill https://downloads.example/
  sealift drill https://downloads.example/ --only cdn-refused --only portal --json
  sealift drill https://downloads.example/portal/ --script /portal/page.js --worker /portal/sw.js --engine /portal/engine.js \\
    --config /portal/sealift.json --scope /portal/`

export function addDrill(program: Command, terminal: Terminal): void {
  program
    .command('drill')
    .description("rehearse outages of a deployment's CDN, gateway and portal in a real browser")
    .argument('<url>', 'a page of the portal, on the origin that has the service worker')
    .option('--name <artifact>', 'what is downloaded; default: the largest that has at most 64 MiB')
    .option('--only <scenario>', 'play this one; repeat for several', collect)
    .option('--script <path>', 'where the portal has page.js', '/page.js')
    .option('--worker <path>', 'where it has the service worker', '/sw.js')
    .option('--engine <path>', 'where it has the engine', '/engine.js')
    .option('--config <path>', 'where it has its configuration', '/sealift.json')
    .option('--scope <path>', 'what its service worker looks after', '/')
    .option('--browser <file>', 'Chromium, Chrome or Edge; default: SEALIFT_BROWSER, CHROME_PATH or the first on PATH')
    .option('--browser-arg <argument>', 'given to the browser; repeat for several', collect)
    .option('--timeout <duration>', 'how long each step of a scenario may take', parseDuration, 60)
    .option('--min-success <percent>', 'of scenarios that have to end well', parseInteger, 100)
    .option('--json', 'print one JSON object')
    .addHelpText('after', `${HELP}\n${EXIT_HELP}`)
    .action(async (url: string, flags: Flags, command: Command) => {
      if (!/^https?:/i.test(url) || !URL.canParse(url))
        command.error(`error: the page must be a URL such as https://downloads.example/, got '${url}'`)
      // Loaded here: no other command needs a browser.
      const { runDrill } = await import('../../node/drill/run-drill.ts')
      const { name, only, script, worker, engine, config, scope } = flags
      const rehearsed = await runDrill(
        {
          url,
          name,
          only,
          places: { script, worker, engine, config, scope },
          browser: { path: flags.browser, args: flags.browserArg ?? [], env: terminal.env },
          timeoutMs: flags.timeout * 1000,
          clock: systemClock,
          onResult: (result) => {
            if (flags.json !== true) terminal.out(`${describe(result)}\n`)
          },
        },
        terminal.signal,
      )
      conclude(rehearsed, flags, terminal)
    })
}

function conclude({ artifact, results, delivered }: DrillReport, { json, minSuccess }: Flags, terminal: Terminal): void {
  const percent = results.length === 0 ? 0 : Math.floor((100 * delivered) / results.length)
  report(terminal, json === true, {
    lines: [`${delivered} of ${results.length} scenarios ended with a verified ${artifact.name} ${artifact.version}: ${percent} %`],
    json: { artifact, results, delivered, scenarios: results.length, percent, isEnough: percent >= minSuccess },
  })
  if (percent < minSuccess) throw new Concluded(EXIT.wanting)
}

function describe({ scenario, title, isDelivered, seconds, recoveryMs, sources, detail }: DrillResult): string {
  const verdict = `${isDelivered ? 'ok  ' : 'FAIL'} ${scenario.padEnd(12)} ${title}`
  const words = [
    seconds === undefined ? undefined : `${seconds.toFixed(1)} s`,
    recoveryMs === undefined ? undefined : `recovery ${recoveryMs} ms`,
    sources.length === 0
      ? undefined
      : sources.map(({ source, tier, verifiedBytes }) => `${tier} ${source} ${mebibytes(verifiedBytes)}`).join(', '),
    detail,
  ].filter((word) => word !== undefined)
  return words.length === 0 ? verdict : `${verdict}\n     ${words.join(' · ')}`
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`
}
