import type { Catalogue } from '../../core/manifest/catalogue.ts'
import type { SiteConfig } from '../../core/manifest/site-config.ts'

/** What is looked at. At least one of the two documents is there. */
export interface LintSubject {
  readonly config: SiteConfig | undefined
  readonly catalogue: Catalogue | undefined
  /** False: read as it lies there, since nobody said whose signature counts. */
  readonly isCatalogueVerified: boolean
  readonly nowSeconds: number
  /** How long an outage has to be outlived. */
  readonly outageSeconds: number
}
