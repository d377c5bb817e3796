// Removes everything that a build makes, the incremental state of tsc included: what is not rebuilt must not be tested.
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

rmSync(fileURLToPath(new URL('../dist', import.meta.url)), { recursive: true, force: true })
