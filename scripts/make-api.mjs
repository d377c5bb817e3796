// Writes docs/api.md. `npm run api`.
import { writeFileSync } from 'node:fs'
import { renderApi } from './api-page.mjs'
import { readPublicApi } from './public-api.mjs'

writeFileSync(new URL('../docs/api.md', import.meta.url), renderApi(readPublicApi()))
