import { runFailpoints } from '../dist/test/failpoints/run.js'

// Whoever died in a history still waits for its storage, and keeps its timers.
process.exit(await runFailpoints(process.argv.slice(2)))
