import { spawn } from 'node:child_process'
import { mkdir, rm, symlink } from 'node:fs/promises'
import { arch, platform } from 'node:os'
import { join } from 'node:path'
import { authoritySigner, publish, systemClock, type Authority, type PublishReport } from 'sealift/node'

/** Who signs the demo's artifacts: a release workflow, as a keyless certificate names it. */
export const DEMO_CLAIMS = {
  identity: 'https://github.com/sealift-demo/edge/.github/workflows/release.yml@refs/tags/v1.4.0',
  issuer: 'https://token.actions.githubusercontent.com',
} as const
/** Of a run that never was, so that the demo's provenance has every part that a real one has. */
const DEMO_RUN = {
  commit: 'd0d0'.repeat(10),
  invocationId: 'https://github.com/sealift-demo/edge/actions/runs/1/attempts/1',
} as const
export const DEMO_REPOSITORY = 'sealift-demo'
/** The large one: the Node executable that runs this stack. */
export const AGENT = 'edge-agent'

const ARCH: Readonly<Record<string, string>> = { x64: 'amd64' }
const OS: Readonly<Record<string, string>> = { win32: 'windows' }

export interface DemoPlaces {
  /** This project's own folder. */
  readonly project: string
  /** Where the files to publish are gathered; emptied first. */
  readonly inbox: string
  readonly site: string
}

/** Publishes this project's own package and the running Node executable, signed by the offline authority with SLSA provenance. */
export async function publishDemo(authority: Authority, places: DemoPlaces, signal: AbortSignal): Promise<PublishReport> {
  await rm(places.inbox, { recursive: true, force: true })
  await mkdir(places.inbox, { recursive: true })
  await packProject(places, signal)
  const version = process.versions.node
  const target = `${OS[platform()] ?? platform()}-${ARCH[arch()] ?? arch()}`
  await symlink(process.execPath, join(places.inbox, `${AGENT}-${version}-${target}`))
  return publish(
    {
      dir: places.inbox,
      site: places.site,
      repository: DEMO_REPOSITORY,
      signer: authoritySigner(authority, { claims: DEMO_CLAIMS, clock: systemClock, run: DEMO_RUN }),
      graceSeconds: 3 * 86_400,
      // Every build of the project packs other bytes under the same version.
      replace: true,
    },
    signal,
  )
}

/** `npm pack`, as it would be published: without running anybody's scripts. */
async function packProject(places: DemoPlaces, signal: AbortSignal): Promise<void> {
  const args = ['pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', places.inbox]
  const npm = process.env['npm_execpath']
  const [command, ...rest] = npm === undefined ? ['npm', ...args] : [process.execPath, npm, ...args]
  const child = spawn(command, rest, { cwd: places.project, stdio: ['ignore', 'ignore', 'inherit'], signal })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  })
  if (code !== 0) throw new Error(`npm pack ended with ${String(code)}; run it by hand to see why`)
}
