/** The script of the thread that writes files, `chunks/files.js`: the engine starts it from beside itself, and can do without. */

import { openHere } from '../stores/open-file.ts'
import { openPieceFiles } from '../stores/piece-files.ts'
import type { FileThreadEnd } from './file-message.ts'
import { serveFiles } from './file-server.ts'
import { onPort } from './thread-line.ts'

declare const self: DedicatedWorkerGlobalScope

onPort(self, (port: FileThreadEnd) => serveFiles(port, openPieceFiles().then(openHere)))
