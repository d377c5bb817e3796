import { createSigstoreVerifier } from '../../src/trust/sigstore-verifier.ts'
import { makeBundleCorpus, type BundleCorpus } from './bundle-corpus.ts'
import { createBundleTarget } from './bundle-target.ts'
import type { Target } from './campaign.ts'
import { makeCatalogueCorpus, type CatalogueCorpus } from './catalogue-corpus.ts'
import { createCatalogueTarget } from './catalogue-target.ts'
import { openVerifier } from './shim-verifier.ts'

/** All that a worker thread needs to make the same target: plain data. */
export type Plan = { readonly seed: number; readonly code: string | undefined } & (
  | { readonly name: 'bundles'; readonly corpus: BundleCorpus }
  | { readonly name: 'catalogues'; readonly corpus: CatalogueCorpus }
)

export function makeCorpus(name: Plan['name']): Promise<BundleCorpus | CatalogueCorpus> {
  return name === 'bundles' ? makeBundleCorpus() : makeCatalogueCorpus()
}

/** @param plan.code the verifier as browsers get it; without it, as Node has it */
export async function createTarget(plan: Plan): Promise<Target> {
  const verifier = plan.code === undefined ? createSigstoreVerifier() : openVerifier(plan.code)
  if (plan.name === 'bundles') return createBundleTarget(plan.corpus, plan.seed, verifier)
  return createCatalogueTarget(plan.corpus, plan.seed, verifier)
}
