import type { TestProject } from 'vitest/node'
import { makeTrustCases, type TrustCase } from '../trust/cases.ts'

declare module 'vitest' {
  interface ProvidedContext {
    readonly trustCases: readonly TrustCase[]
  }
}

/** Signs in Node, where there are keys, for tests that see none of Node's cryptography. */
export async function setup(project: TestProject): Promise<void> {
  project.provide('trustCases', await makeTrustCases())
}
