import type { SiteConfig } from '../../core/manifest/site-config.ts'
import { authorityOf, type FaultPlan, type NetworkFault, type Role } from './network-fault.ts'

/** What is taken away from a visitor, and when. */
export interface Scenario {
  /** What `--only` takes. */
  readonly name: string
  readonly title: string
  readonly plan: FaultPlan
  /** Addresses, `host:port`, that are refused beside what the plan says. */
  readonly refused: readonly string[]
  /** After the first pieces; otherwise before the download starts. */
  readonly isMidway: boolean
  /** The page is opened again under the fault. */
  readonly reopens: boolean
  /** Undefined when it can be played; otherwise why it cannot end well, and what would help. */
  readonly lacking: string | undefined
}

/** What the deployment has beside its CDN. */
export interface Deployment {
  readonly portalUrl: string
  readonly config: Pick<SiteConfig, 'origins' | 'gateways' | 'mesh'>
}

const REFUSED = { kind: 'refused' } as const
const SILENT = { kind: 'silent' } as const
/** Of modem days: what a CDN in trouble gives. */
const TRICKLE = { kind: 'slow', bytesPerSecond: 10_000 } as const

export function hasMesh({ mode, signaling }: SiteConfig['mesh']): boolean {
  return mode !== 'off' && signaling.length > 0
}

/** Who is who, by `host:port`. */
export function rolesOf({ portalUrl, config }: Deployment): ReadonlyMap<string, readonly Role[]> {
  const roles = new Map<string, readonly Role[]>()
  const note = (url: string, role: Role): void => {
    const authority = authorityOf(url)
    roles.set(authority, [...(roles.get(authority) ?? []), role])
  }
  note(portalUrl, 'portal')
  for (const { url } of config.origins) note(url, 'cdn')
  for (const { url } of config.gateways) note(url, 'gateway')
  for (const url of config.mesh.signaling) note(url, 'signaling')
  return roles
}

/** What can happen to this deployment, mildest first. */
export function scenariosFor(deployment: Deployment): readonly Scenario[] {
  const { origins, gateways, mesh } = deployment.config
  const noOther =
    gateways.length > 0 || hasMesh(mesh)
      ? undefined
      : 'sealift.json names neither a gateway nor signaling: without the CDN there is nothing'
  const make = (name: string, title: string, plan: FaultPlan, more: Partial<Scenario> = {}): Scenario => ({
    name,
    title,
    plan,
    refused: [],
    isMidway: false,
    reopens: false,
    lacking: plan.cdn === undefined ? undefined : noOther,
    ...more,
  })
  const cdn = (name: string, title: string, fault: NetworkFault, more?: Partial<Scenario>): Scenario =>
    make(name, title, { cdn: fault }, more)
  return [
    make('healthy', 'nothing is wrong', {}),
    ...(origins.length < 2
      ? []
      : origins.map(({ id, url }) => make(`origin-${id}`, `${id} refuses connections`, {}, { refused: [authorityOf(url)] }))),
    ...(gateways.length === 0 ? [] : [make('gateway', 'gateways refuse connections', { gateway: REFUSED })]),
    ...(mesh.signaling.length === 0 ? [] : [make('signaling', 'signaling refuses connections', { signaling: REFUSED })]),
    cdn('cdn-refused', 'every CDN origin refuses connections', REFUSED),
    cdn('cdn-silent', 'every CDN origin takes connections and answers nothing', SILENT),
    cdn('cdn-slow', 'every CDN origin sends 10 kB/s', TRICKLE),
    cdn('cdn-midway', 'every CDN origin goes in the middle of a download', REFUSED, { isMidway: true }),
    make('portal', 'CDN and portal are gone, and the page is opened again', { cdn: REFUSED, portal: REFUSED }, { reopens: true }),
    ...(hasMesh(mesh) ? [make('mesh', 'CDN and gateways are gone: only another browser has it', { cdn: REFUSED, gateway: REFUSED })] : []),
  ]
}
