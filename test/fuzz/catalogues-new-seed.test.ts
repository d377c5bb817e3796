import { test, vi } from 'vitest'
import { makeCatalogueCorpus } from './catalogue-corpus.ts'
import { expectToStand, NEW_SEED } from './landing.ts'

// As in catalogues.test.ts: a file of its own, so that both seeds run at once.
vi.setConfig({ testTimeout: 600_000 })

test(`a damaged catalogue is refused, or is what its publisher signed, and lowers no floor: seed ${NEW_SEED}`, async () =>
  expectToStand({ name: 'catalogues', corpus: await makeCatalogueCorpus(), seed: NEW_SEED, code: undefined }, 50_000))
