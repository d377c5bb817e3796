import { runDemo } from '../dist/demo/stack/main.js'

await runDemo()
