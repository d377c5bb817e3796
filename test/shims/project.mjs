// The vitest project that runs the verifier on the browser stand-ins for Node's modules.
// The packages are CommonJS: inlining them leaves `require('crypto')` Node's own, so they go through the optimizer instead.

import { fileURLToPath } from 'node:url'
import { sigstoreShims } from '../../scripts/sigstore-plugin.mjs'

export const shimsProject = {
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    name: 'shims',
    environment: 'happy-dom',
    include: ['test/shims/**/*.test.ts'],
    globalSetup: ['test/shims/make-cases.ts'],
    deps: {
      optimizer: {
        client: {
          enabled: true,
          force: true,
          include: ['@sigstore/bundle', '@sigstore/core', '@sigstore/protobuf-specs', '@sigstore/verify'],
          rolldownOptions: { plugins: [sigstoreShims()] },
        },
      },
    },
  },
}
