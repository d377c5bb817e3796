import { join } from 'node:path'
import type { Command } from 'commander'
import { DeliveryError } from '../../core/errors.ts'
import type { SiteConfig } from '../../core/manifest/site-config.ts'
import type { CatalogueEntry } from '../../core/manifest/catalogue.ts'
import {
  exportSite,
  type ExportedArtifact,
  type ExportPlace,
  type ExportProgress,
  type ExportReport,
} from '../../node/export/export-site.ts'
import { SUMS_FILE } from '../../node/export/withdraw.ts'
import { isWebUrl } from '../../node/site/document.ts'
import { EXIT_HELP } from '../exit-codes.ts'
import { report, type Terminal } from '../terminal.ts'
import { addTrustOptions, readTrust, type TrustFlags } from '../trust-options.ts'
import { collectNamedUrl, parseTracker, type NamedUrl } from '../values.ts'

interface Flags extends TrustFlags {
  readonly out?: string
  readonly intoSite?: boolean
  readonly config?: string
  readonly name?: string
  readonly release?: string
  readonly platform?: string
  readonly origin?: readonly NamedUrl[]
  readonly gateway?: readonly NamedUrl[]
  readonly tracker?: string
  readonly json?: boolean
}

const HELP = `
Nothing is written of an artifact before its signatures and all of its bytes are verified. Withdrawn artifacts are left out, yanked ones
unless --release names them. A torrent is private (BEP 27) and has web seeds; without --tracker it has nothing else.

Example:
  sealift export ./site --into-site --config sealift.json
  sealift export ./site --out ./exports --public-key signing-key.pub --name agent --release 1.2.3
  aria2c --no-conf agent-1.2.3-linux-amd64.meta4
  aria2c --no-conf --seed-time=0 --enable-dht=false --bt-enable-lpd=false agent-1.2.3-linux-amd64.torrent
  sha256sum -c --ignore-missing SHA256SUMS
`

export function addExport(program: Command, terminal: Terminal): void {
  const command = program
    .command('export')
    .description('write a Metalink, a torrent and a checksum of each artifact, for tools that know nothing of Sealift')
    .argument('<site>', 'folder of the published layout; its files are read whole')
    .option('--out <dir>', 'folder for the files')
    .option('--into-site', 'write them into exports/ of the site itself')
    .option('--name <name>', 'only artifacts of this name')
    .option('--release <version>', 'only this version, even a yanked one')
    .option('--platform <os/arch>', 'only this platform')
    .option(
      '--origin <url>',
      '[NAME=]URL of a place that serves the layout, beside those that are known; repeat for several',
      collectNamedUrl,
    )
    .option('--gateway <url>', '[NAME=]URL of a gateway in the local network; repeat for several', collectNamedUrl)
    .option('--tracker <url>', 'announce URL of a private tracker, for the torrents', parseTracker)
    .option('--config <file-or-url>', "the portal's sealift.json: whom to trust, and more places")
    .option('--json', 'print one JSON object')
  addTrustOptions(command)
    .addHelpText('after', `${HELP}${EXIT_HELP}`)
    .action(async (site: string, flags: Flags) => {
      const out = outputOf(site, flags)
      const trusted = await readTrust(flags, [site], terminal.signal)
      if (trusted === undefined)
        throw new DeliveryError({
          code: 'policy-missing',
          detail: 'give --config, --policy, --identity with --issuer and --trusted-root, or --public-key',
        })
      const { trust, config, denied, minimumVersion } = trusted
      const result = await exportSite(
        {
          site,
          out,
          trust,
          wish: { name: flags.name, version: flags.release, platform: flags.platform },
          places: [...toPlaces(flags.origin, flags.gateway), ...placesOf(config, flags.config)],
          tracker: flags.tracker,
          repository: config?.repository,
          denied,
          minimumVersion,
          maxGraceSeconds: config?.maxGraceSeconds,
          onProgress: showProgress(terminal),
        },
        terminal.signal,
      ).finally(() => terminal.progress?.(''))
      report(terminal, flags.json === true, { lines: describe(out, result), json: toJson(out, result) })
    })
}

function showProgress({ progress }: Terminal): ((at: ExportProgress) => void) | undefined {
  if (progress === undefined) return undefined
  let shown = ''
  return ({ entry, readBytes }) => {
    const text = `reading    ${nameOf(entry)} ${Math.floor((readBytes / entry.artifact.sizeBytes) * 100)} %`
    if (text !== shown) progress(text)
    shown = text
  }
}

function outputOf(site: string, { out, intoSite = false }: Flags): string {
  if (isWebUrl(site))
    throw new DeliveryError({
      code: 'input-invalid',
      path: site,
      detail: 'has to be a folder: all of its files are read. Copy the site here first',
    })
  if (intoSite && out === undefined) return join(site, 'exports')
  if (!intoSite && out !== undefined) return out
  throw new DeliveryError({ code: 'input-invalid', path: '--out', detail: 'or --into-site is needed, and not both' })
}

type Named = Pick<NamedUrl, 'url'>

function toPlaces(origins: readonly Named[] = [], gateways: readonly Named[] = []): readonly ExportPlace[] {
  return [...origins.map(({ url }) => ({ tier: 'cdn' as const, url })), ...gateways.map(({ url }) => ({ tier: 'gateway' as const, url }))]
}

/** What a configuration names. Read from a file, nobody knows what its relative URLs count from: they became this one. */
function placesOf(config: SiteConfig | undefined, place: string | undefined): readonly ExportPlace[] {
  if (config === undefined || place === undefined) return []
  const isKnown = ({ url }: Named) => isWebUrl(place) || !url.startsWith('http://localhost/')
  return toPlaces(config.origins.filter(isKnown), config.gateways.filter(isKnown))
}

const WITHOUT_TORRENT = {
  'mesh-forbidden': 'its publisher does not let peers pass it on',
  empty: 'it is empty',
} as const

function describe(
  out: string,
  { catalogue, freshness, places, exported, yanked, denied, ambiguousFilenames }: ExportReport,
): readonly string[] {
  const [first] = ambiguousFilenames
  return [
    ...exported.flatMap(describeArtifact),
    ...yanked.map((entry) => `left out   ${nameOf(entry)}: yanked; name it with --release`),
    ...denied.map((entry) => `left out   ${nameOf(entry)}: withdrawn`),
    ...(first === undefined ? [] : [`left out   of ${SUMS_FILE}: ${ambiguousFilenames.join(', ')}, which several artifacts are called`]),
    `places     ${places.join(', ')}`,
    `catalogue  ${catalogue.repository} version ${catalogue.version}${freshness === 'stale' ? ', past its end: within the grace that the publisher allows' : ''}`,
    `exported   ${exported.length} artifacts into ${out}`,
  ]
}

function describeArtifact({ entry, files, torrentRefusal }: ExportedArtifact): readonly string[] {
  const without = torrentRefusal === undefined ? '' : `; no torrent: ${WITHOUT_TORRENT[torrentRefusal]}`
  return [
    `verified   ${nameOf(entry)} (${entry.artifact.sizeBytes} bytes, SHA-256 ${entry.artifact.sha256})`,
    `           ${files.join(', ')}${without}`,
  ]
}

function nameOf({ name, version, platform }: CatalogueEntry): string {
  return [name, version, platform].filter((word) => word !== undefined).join(' ')
}

function toJson(out: string, { catalogue, freshness, places, exported, yanked, denied, ambiguousFilenames }: ExportReport): object {
  const toRelease = ({ name, version, platform, artifact }: CatalogueEntry) => ({
    name,
    version,
    platform: platform ?? null,
    sha256: artifact.sha256,
    sizeBytes: artifact.sizeBytes,
  })
  return {
    out,
    catalogue: { repository: catalogue.repository, version: catalogue.version, freshness },
    places,
    artifacts: exported.map(({ entry, filename, files, infoHash, torrentRefusal }) => ({
      ...toRelease(entry),
      filename,
      files,
      infoHash: infoHash ?? null,
      torrentRefusal: torrentRefusal ?? null,
    })),
    yanked: yanked.map(toRelease),
    denied: denied.map(toRelease),
    ambiguousFilenames,
  }
}
