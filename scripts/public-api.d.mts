import type { Project } from 'typescript/unstable/sync'

export interface Words {
  readonly about: string
  readonly tags: readonly { readonly name: string; readonly text: string }[]
}

export interface Member extends Words {
  /** `Sealift.download`. */
  readonly name: string
}

export interface Export extends Words {
  readonly name: string
  readonly isFunction: boolean
  /** As TypeScript, without bodies. */
  readonly declaration: string
  readonly members: readonly Member[]
}

/** What `sealift/<name>` exports. */
export interface Entry {
  readonly entry: string
  readonly about: string
  readonly exports: readonly Export[]
}

export function readPublicApi(): readonly Entry[]

/** Opens projects by their `tsconfig.json`, for as long as `use` runs. */
export function withProjects<T>(configs: readonly string[], use: (projects: readonly Project[]) => T): T
