/** The service worker's script, as `sealift init` copies it: everything in one file, since a service worker may not `import()`. */

import { attach } from './index.ts'
import type { WorkerScope } from './scope.ts'

declare const self: WorkerScope

attach(self, { shell: self.sealiftShell ?? [] })
