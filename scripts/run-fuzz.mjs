// `npm run fuzz -- bundles|catalogues|frames|signals [--count N] [--seed N] [--from N] [--shims] [--corpus FILE] [--json]`
// Damages what the offline authorities signed, and sees that nothing is believed that was not signed. See docs/fuzzing.md.

import { fork } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { addTally, newTally, runCases, settleSuspects } from '../dist/test/fuzz/campaign.js'
import { keepFindings } from '../dist/test/fuzz/keep-findings.js'
import { runFrames } from '../dist/test/fuzz/run-frames.js'
import { runSignals } from '../dist/test/fuzz/run-signals.js'
import { createTarget, makeCorpus } from '../dist/test/fuzz/targets.js'
import { bundleForBrowser } from './bundle-for-browser.mjs'

const COUNTS = { bundles: 100_000, catalogues: 1_000_000, frames: 10_000_000, signals: 1_000_000 }
const WORKERS = 2
const BATCH = 250
const TELL_EVERY_MS = 60_000
const WARM_UP = 200
const VERIFIER = fileURLToPath(new URL('../dist/src/trust/sigstore-verifier.js', import.meta.url))

// Processes, not threads: only of a process can be told how long it has worked, and not waited for others.
if (process.send === undefined) await main()
else process.once('message', (plan) => void work(plan))

async function main() {
  const { name, options } = readArguments()
  const count = Number(options.count ?? COUNTS[name])
  const from = Number(options.from)
  const seed = options.seed === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(options.seed)
  if (name === 'frames') {
    process.exitCode = await runFrames({ count, seed, from, isJson: options.json })
    return
  }
  if (name === 'signals') {
    process.exitCode = await runSignals({ count, seed, from, isJson: options.json })
    return
  }
  const dir = mkdtempSync(join(tmpdir(), 'sealift-fuzz-'))
  const corpus = options.corpus === undefined ? await makeCorpus(name) : JSON.parse(readFileSync(options.corpus, 'utf8'))
  const corpusPath = join(dir, 'corpus.json')
  writeFileSync(corpusPath, JSON.stringify(corpus))
  console.log(`${name}: ${count} cases from ${from}, seed ${seed}, corpus ${corpusPath}`)

  const code = options.shims ? await bundleForBrowser({ entry: VERIFIER, name: 'built' }) : undefined
  const plan = { name, corpus, seed, code }
  const startMs = performance.now()
  const tally = newTally()
  const next = await runWorkers({ ...plan, from, end: from + count }, tally)
  if (next < from + count)
    console.log(`stopped; the rest: --corpus ${corpusPath} --seed ${seed} --from ${next} --count ${from + count - next}`)

  const target = await createTarget(plan)
  await runCases(
    target,
    Array.from({ length: WARM_UP }, (_, i) => i),
    newTally(),
  )
  const { slow, limitMs } = await settleSuspects(target, tally)
  for (const line of await keepFindings(target, tally, { dir, name: `${name}-${seed}` })) console.log(line)
  if (tally.findings.length > 0) console.log(`one of them again: --corpus ${corpusPath} --seed ${seed} --from INDEX --count 1`)
  report({ name, tally, slow, limitMs, seconds: (performance.now() - startMs) / 1000, json: options.json })
  process.exitCode = tally.uncaught + tally.wrongAccepts + slow === 0 && tally.count === count ? 0 : 1
}

function readArguments() {
  const { values, positionals } = parseArgs({
    options: {
      count: { type: 'string' },
      seed: { type: 'string' },
      from: { type: 'string', default: '0' },
      corpus: { type: 'string' },
      shims: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  })
  const [name = ''] = positionals
  if (Object.hasOwn(COUNTS, name)) return { name, options: values }
  console.error(
    'usage: npm run fuzz -- bundles|catalogues|frames|signals [--count N] [--seed N] [--from N] [--shims] [--corpus FILE] [--json]',
  )
  process.exit(2)
}

function report({ name, tally, slow, limitMs, seconds, json }) {
  const { count, refused, accepted, uncaught, wrongAccepts, codes, suspects } = tally
  const slowestMs = Number(tally.slowestMs.toFixed(1))
  console.log(`${seconds.toFixed(0)} s; refused as ${JSON.stringify(codes)}`)
  console.log(`${suspects.length} timed again alone, and slow is what takes more than ${limitMs.toFixed(0)} ms`)
  if (json) console.log(JSON.stringify({ fuzz: { target: name, count, refused, accepted, uncaught, wrongAccepts, slow, slowestMs } }))
  else
    console.log(
      `${count} cases: ${refused} refused, ${accepted} accepted, ${uncaught} uncaught, ${wrongAccepts} wrong accepts, ${slow} slow, slowest ${slowestMs} ms`,
    )
}

/** Every second case each, until all are done or somebody interrupts. Gives the first index that was not reached. */
async function runWorkers(plan, tally) {
  const startMs = performance.now()
  const workers = Array.from({ length: WORKERS }, () => fork(fileURLToPath(import.meta.url), { detached: true }))
  const next = workers.map((_, i) => plan.from + i)
  const stop = () => workers.forEach((worker) => worker.kill())
  const tell = () => {
    const { count, uncaught, wrongAccepts } = tally
    console.log(
      `${count} after ${((performance.now() - startMs) / 1000).toFixed(0)} s, ${uncaught} uncaught, ${wrongAccepts} wrong accepts`,
    )
  }
  const timer = setInterval(tell, TELL_EVERY_MS)
  for (const name of ['SIGINT', 'SIGTERM']) process.once(name, stop)
  await Promise.all(
    workers.map((worker, i) => {
      worker.send({ ...plan, first: plan.from + i })
      worker.on('message', (part) => {
        addTally(tally, part.tally)
        next[i] = part.next
      })
      return new Promise((resolve, reject) => {
        worker.on('error', reject)
        worker.on('exit', (code, signal) =>
          code === 0 || signal === 'SIGTERM' || signal === 'SIGINT'
            ? resolve()
            : reject(new Error(`a worker ended with ${code ?? signal}`)),
        )
      })
    }),
  )
  clearInterval(timer)
  return Math.min(...next)
}

async function work(plan) {
  // Nobody is left to tell.
  process.on('disconnect', () => process.exit(1))
  const target = await createTarget(plan)
  for (let start = plan.first; start < plan.end; start += BATCH * WORKERS) {
    const indices = Array.from({ length: BATCH }, (_, i) => start + i * WORKERS).filter((index) => index < plan.end)
    const tally = newTally()
    await runCases(target, indices, tally)
    await new Promise((resolve) => process.send({ tally, next: start + BATCH * WORKERS }, resolve))
  }
  process.exit(0)
}
