// The vitest project that runs the verifier on the browser stand-ins for Node's modules.

import { fileURLToPath } from 'node:url'

export const shimsProject = {
  extends: true,
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    name: 'shims',
    environment: 'happy-dom',
    include: ['test/shims/**/*.test.ts'],
    globalSetup: ['test/shims/make-cases.ts'],
    // Else Node loads them itself, past every plugin.
    server: { deps: { inline: [/@sigstore\/(?:bundle|core|protobuf-specs|verify)\//] } },
  },
}
