import { runDrill } from '../dist/test/drills/run.js'

process.exitCode = await runDrill(process.argv.slice(2))
