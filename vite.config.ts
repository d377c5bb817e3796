import './scripts/node20.mjs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: [
      {
        resolve: { alias: { 'sealift/protocol': fileURLToPath(new URL('./src/core/protocol.ts', import.meta.url)) } },
        test: {
          name: 'unit',
          environment: 'node',
          include: ['test/**/*.test.ts'],
          exclude: ['test/browser/**', 'test/drills/**', 'test/dom/**', 'test/shims/**'],
        },
      },
      { test: { name: 'dom', environment: 'happy-dom', include: ['test/dom/**/*.test.ts'] } },
      {
        test: {
          name: 'browser',
          environment: 'node',
          include: ['test/browser/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
