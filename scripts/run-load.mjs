// `npm run load -- --help`: loads a signaling server on this machine.

import { runLoad } from '../dist/bench/load/main.js'

process.exit(await runLoad(process.argv.slice(2)))
