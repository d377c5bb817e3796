import type { Browser } from 'puppeteer-core'
import { launchBrowser } from '../test/drills/browser.ts'
import { medianOf, round2, type BenchReport, type BenchRow } from './contest.ts'
import type { BenchTools } from './tools.ts'
import { openArena, type Arena } from './trust/contestants.ts'
import { makeKinds, readKinds, type Kind } from './trust/jobs.ts'
import { inContext, openPortal, type Visit } from './trust/visits.ts'

const ROUNDS = 5

/**
 * What verification costs, and what is left of it when verdicts are remembered: ours in every place beside the other verifiers, cold and
 * warm, then whole visits of a portal. Round after round in a fresh browser, all contestants in turn.
 * @param args `--cases DIR`: also the cases of the conformance suite's layout that must be accepted
 */
export async function benchTrust(tools: BenchTools, args: readonly string[]): Promise<BenchReport> {
  const { browser: found } = tools
  if (found === undefined) throw new Error('There is no Chromium on this machine. npm run browser gets one.')
  const casesDir = args.includes('--cases') ? args[args.indexOf('--cases') + 1] : undefined
  const kinds = [...(await makeKinds()), ...(casesDir === undefined ? [] : readKinds(casesDir.replace(/\/+$/, '')))]
  const arena = await openArena(tools)
  const portal = await openPortal(tools)
  const tally: Tally = { figures: new Map(), remarks: new Set() }
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const launched = await launchBrowser(found)
      try {
        for (const kind of kinds) await runKind({ arena, kind, browser: launched.browser }, tally)
        await inContext(launched.browser, async (context) => {
          noteVisit(tally, 'first visit', await portal.first(context))
          noteVisit(tally, 'verdicts forgotten', await portal.forgetful(context))
          noteVisit(tally, 'verdicts remembered', await portal.again(context))
        })
      } finally {
        await launched.close()
      }
    }
  } finally {
    await portal.close()
    await arena.close()
  }
  const place = 'Sealift, in a service worker'
  const [first, more] = ['signature, first bundle', 'signature, one more'].map((group) =>
    medianOf(tally.figures.get(group)?.get(place) ?? []),
  )
  tally.remarks.add(
    `A service worker that has no page to help answers nothing for the time of one bundle: ${round2(first ?? 0)} ms, then ${round2(more ?? 0)} ms.`,
  )
  return { bench: 'trust', rows: rowsOf(tally), remarks: [...tally.remarks] }
}

interface Tally {
  /** By what they are compared with, then by name; the first of each group is the reference. */
  readonly figures: Map<string, Map<string, number[]>>
  readonly remarks: Set<string>
}

interface Match {
  readonly arena: Arena
  readonly kind: Kind
  readonly browser: Browser
}

async function runKind({ arena, kind, browser }: Match, tally: Tally): Promise<void> {
  for (const { name, run } of arena.contestants) {
    const outcome = await run(kind.job, browser)
    if ('refusal' in outcome) tally.remarks.add(`${kind.name}: ${name} does not count: ${outcome.refusal}`)
    else {
      note(tally, `${kind.name}, first bundle`, [name, outcome.coldMs])
      if (kind.job.bundles.length > 1) note(tally, `${kind.name}, one more`, [name, outcome.warmMs])
    }
  }
}

function noteVisit(tally: Tally, name: string, { tookMs, checked, longestTaskMs }: Visit): void {
  note(tally, 'visit', [name, tookMs])
  note(tally, 'bundles checked in the visit', [name, checked])
  note(tally, 'longest task of the page in the visit', [name, longestTaskMs])
}

function note({ figures }: Tally, group: string, [name, value]: readonly [string, number]): void {
  const known = figures.get(group) ?? new Map<string, number[]>()
  figures.set(group, known.set(name, [...(known.get(name) ?? []), value]))
}

function rowsOf({ figures }: Tally): readonly BenchRow[] {
  return [...figures].flatMap(([group, byName]) => {
    const medians = [...byName].map(([name, values]) => [name, medianOf(values)] as const)
    const reference = medians[0]?.[1] ?? 0
    return medians.map(([name, value]) => ({
      contestant: `${group}: ${name}`,
      value: round2(value),
      unit: group.startsWith('bundles') ? 'bundles' : 'ms',
      // Less is better. Where nothing is left there is no ratio.
      ratio: value === 0 ? null : round2(reference / value),
    }))
  })
}
