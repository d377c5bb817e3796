import './many-waiters.ts'
import { runCampaign } from './campaign.ts'
import { createScenes } from './scenes.ts'

/**
 * `npm run failpoints`: every place at which the write path waits for storage fails in every way, and in the visit that makes good every place
 * fails again. See docs/failpoints.md.
 * @param args `--json` for one JSON line at the end, `--only "part of a scene"`, `--share` of the second failures (default 1), `--seed`
 * @returns exit status: 0 when nothing was found
 */
export async function runFailpoints(args: readonly string[]): Promise<number> {
  const valueOf = (option: string): string | undefined => (args.includes(option) ? args[args.indexOf(option) + 1] : undefined)
  const seed = Number(valueOf('--seed') ?? 1)
  const share = Number(valueOf('--share') ?? 1)
  const only = valueOf('--only') ?? ''
  const scenes = (await createScenes()).filter(({ name }) => name.includes(only))
  if (scenes.length === 0 || !(share >= 0 && share <= 1) || !Number.isInteger(seed)) {
    console.error(`usage: npm run failpoints -- [--only SCENE] [--share 0..1] [--seed N] [--json]; scenes:`)
    for (const { name } of await createScenes()) console.error(`  ${name}`)
    return 2
  }
  const startedMs = performance.now()
  const tally = await runCampaign({
    scenes,
    share,
    seed,
    onScene: ({ name }, { places, singles, doubles, findings }) =>
      console.log(`${name}: up to here ${places} places, ${singles} failures, ${doubles} second failures, ${findings.length} findings`),
  })
  for (const finding of tally.findings) console.log(finding)
  const { places, singles, doubles, alike, refetched, lost, unverified, unfinished } = tally
  const seconds = Math.round((performance.now() - startedMs) / 1000)
  const figures = { scenes: scenes.length, places, singles, doubles, alike, share, seed, refetched, lost, unverified, unfinished, seconds }
  console.log(args.includes('--json') ? JSON.stringify({ bench: 'failpoints', ...figures }) : figures)
  return refetched + lost + unverified + unfinished === 0 ? 0 : 1
}
