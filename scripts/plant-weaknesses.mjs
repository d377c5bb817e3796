// `npm run weaknesses -- [--only NAME...] [--json]`: plants each weakness of test/weaknesses/ into a copy of the tree and demands
// that its tests fail. NAME is a weakness or an area, which is a file there. See docs/weaknesses.md.

import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values, positionals } = parseArgs({
  options: { only: { type: 'string', multiple: true }, json: { type: 'boolean' } },
  allowPositionals: true,
})

const { plantAll } = await import('../dist/test/planting/main.js')
const { chooseWeaknesses } = await import('../dist/test/planting/plant.js')

const areas = new Map()
for (const file of readdirSync(new URL('../test/weaknesses/', import.meta.url))) {
  if (!file.endsWith('.ts')) continue
  const area = file.slice(0, -'.ts'.length)
  areas.set(area, (await import(`../dist/test/weaknesses/${area}.js`)).weaknesses)
}

const only = [...(values.only ?? []), ...(values.only === undefined ? [] : positionals)]
const rows = await plantAll(root, chooseWeaknesses(areas, only), (row) => {
  console.log(`${row.caught ? 'caught  ' : 'SURVIVED'} ${row.name}: ${row.detail}`)
})
const survived = rows.filter((row) => !row.caught).map((row) => row.name)
const caught = rows.length - survived.length
if (values.json === true) console.log(JSON.stringify({ weaknesses: { caught, total: rows.length, survived, rows } }))
else console.log(`${caught} of ${rows.length} caught${survived.length === 0 ? '' : `; survived: ${survived.join(', ')}`}`)
process.exitCode = survived.length === 0 && rows.length > 0 ? 0 : 1
