import { createHash } from 'node:crypto'
import type { PieceIndex } from '../../src/core/model/ids.ts'
import { createSeededRandom } from '../fakes/seeded-random.ts'
import { LOSSES, type DiskImage, type Loss } from './disk.ts'
import { isDeath, kindsAt, type FailureKind, type PlantedFailure } from './failpoint.ts'
import type { Scene } from './scenes.ts'
import { ARTIFACT, floorOn, inspect, recordsOn, visit, type Visit, type VisitOptions } from './visit.ts'

/** One failure, and what became of what was not flushed. */
export interface Failure extends PlantedFailure {
  readonly place: string
  readonly loss: Loss
}

/** One history: a visit that fails, perhaps a second that fails while it makes good, and one in which nothing fails. */
export interface History {
  readonly scene: Scene
  readonly failures: readonly Failure[]
}

export interface Tally {
  places: number
  singles: number
  doubles: number
  /** First failures that left the same as an earlier one, with the same promises: what comes after them was run once. */
  alike: number
  /** What was not as it has to be, each with the history that led to it. */
  readonly findings: string[]
  /** Pieces that were said to be kept, and were fetched again. */
  refetched: number
  /** Pieces, floors and records that were said to be kept, and were gone. */
  lost: number
  /** Bytes that could be read, and are not what was signed. */
  unverified: number
  /** Downloads that did not end well once nothing failed any more. */
  unfinished: number
}

export interface CampaignOptions extends Pick<VisitOptions, 'liesAboutFlushing'> {
  readonly scenes: readonly Scene[]
  /** Which histories of two failures are run, of 0 to below 1: none, all, or a share. */
  readonly share: number
  readonly seed: number
  readonly onScene?: (scene: Scene, tally: Tally) => void
}

export function newTally(): Tally {
  return { places: 0, singles: 0, doubles: 0, alike: 0, findings: [], refetched: 0, lost: 0, unverified: 0, unfinished: 0 }
}

/** Fails at every place in turn, and then, in the visit that makes good, at every place again. */
export async function runCampaign(options: CampaignOptions): Promise<Tally> {
  const tally = newTally()
  const random = createSeededRandom(options.seed)
  for (const scene of options.scenes) {
    const seen = new Set<string>()
    const { layout, forgets, clears } = scene
    const places = (await visit(scene.image, 2, { layout, forgets, clears })).points.passed
    tally.places += places.length
    for (const first of failuresAt(places)) {
      await runFirst({ scene, failures: [first] }, { ...options, tally, random, seen })
    }
    options.onScene?.(scene, tally)
  }
  return tally
}

function failuresAt(places: Visit['points']['passed']): readonly PlantedFailure[] {
  return places.flatMap((place, at) => kindsAt(place).map((kind: FailureKind) => ({ at, kind })))
}

interface Run extends CampaignOptions {
  readonly tally: Tally
  readonly random: () => number
  /** What first failures have left in this scene. */
  readonly seen: Set<string>
}

async function runFirst({ scene, failures: [first] }: { readonly scene: Scene; readonly failures: readonly PlantedFailure[] }, run: Run) {
  if (first === undefined) return
  const { layout, forgets, clears } = scene
  const failed = await visit(scene.image, 2, { ...run, layout, forgets, clears, planted: first })
  for (const loss of lossesOf(failed, first)) {
    const image = failed.disk.image(loss, first.at + 1)
    const history: History = { scene, failures: [{ ...first, loss, place: placeOf(failed, first) }] }
    run.tally.singles++
    const promised = promisesOf(scene, [failed])
    await requireKept(history, { image, promised, visits: [failed] }, run)
    const second = await visit(image, 3, { layout: scene.layout })
    await requireFinished(history, { visits: [failed, second], promised }, run)
    if (run.share === 0) continue
    const left = await fingerprint(image, promised)
    if (run.seen.has(left)) run.tally.alike++
    else await runSecond(history, { image, failed, places: second.points.passed }, run)
    run.seen.add(left)
  }
}

async function runSecond(
  { scene, failures }: History,
  { image, failed, places }: { readonly image: DiskImage; readonly failed: Visit; readonly places: Visit['points']['passed'] },
  run: Run,
): Promise<void> {
  for (const planted of failuresAt(places)) {
    if (run.random() >= run.share) continue
    const again = await visit(image, 3, { ...run, layout: scene.layout, planted })
    for (const loss of lossesOf(again, planted)) {
      const left = again.disk.image(loss, planted.at + 7)
      const history: History = { scene, failures: [...failures, { ...planted, loss, place: placeOf(again, planted) }] }
      run.tally.doubles++
      const promised = promisesOf(scene, [failed, again])
      await requireKept(history, { image: left, promised, visits: [failed, again] }, run)
      const last = await visit(left, 4, { layout: scene.layout })
      await requireFinished(history, { visits: [failed, again, last], promised }, run)
    }
  }
}

/** Only a process that dies leaves anything unflushed to chance. */
function lossesOf(failed: Visit, { kind }: PlantedFailure): readonly Loss[] {
  return isDeath(kind) && failed.disk.hasUnsafe ? LOSSES : ['kept']
}

function placeOf({ points }: Visit, { at }: PlantedFailure): string {
  return points.passed[at]?.name ?? 'nowhere'
}

/** Equal for two disks that hold the same, under the same promises. */
async function fingerprint({ files, tables }: DiskImage, { pieces, floor, records }: Promises): Promise<string> {
  const hash = createHash('sha256')
  const valueOf = async (value: unknown): Promise<string> =>
    // Copied: the process that would have waited for its bytes may be dead.
    value instanceof Blob ? Buffer.from(await new Blob([value]).arrayBuffer()).toString('base64') : JSON.stringify(value, withBytes)
  const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1)
  for (const [name, bytes] of [...files].toSorted(byName)) hash.update(`${name} ${bytes.length} `).update(bytes)
  for (const [name, table] of [...tables].toSorted(byName))
    for (const [key, { value }] of [...table].toSorted(byName)) hash.update(`${name} ${key} ${await valueOf(value)} `)
  return hash.update(JSON.stringify([[...pieces].toSorted((a, b) => a - b), floor, records])).digest('hex')
}

function withBytes(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value
}

/** What was said to be kept, and still is. */
interface Promises {
  readonly pieces: ReadonlySet<PieceIndex>
  readonly floor: number
  readonly records: number
}

function promisesOf(scene: Scene, visits: readonly Visit[]): Promises {
  const pieces = new Set<PieceIndex>()
  for (const { durable, forgot } of visits) {
    if (forgot) pieces.clear()
    for (const piece of durable) pieces.add(piece)
  }
  const floorBefore = floorOn(scene.image)
  const floors = visits.flatMap(({ floors }) => floors)
  const records = Math.max(recordsOn(scene.image), ...visits.map(({ records }) => records))
  return { pieces, floor: Math.max(typeof floorBefore === 'number' ? floorBefore : 0, ...floors), records }
}

async function requireKept(
  history: History,
  { image, promised, visits }: { readonly image: DiskImage; readonly promised: Promises; readonly visits: readonly Visit[] },
  run: Run,
): Promise<void> {
  const { scene } = history
  const { kept, wrong } = await inspect(image, scene.layout)
  // A piece that somebody altered is known to be so only when it is hashed.
  const isKnown = (what: string): boolean => scene.isAltered && what === 'piece 0'
  const unverified = [...visits.flatMap((one) => one.wrong), ...wrong.filter((what) => !isKnown(what))]
  run.tally.unverified += unverified.length
  for (const what of unverified) note(run.tally, history, `unverified bytes: ${what}`)
  const lost = [...promised.pieces].filter((piece) => !kept.has(piece)).map((piece) => `piece ${piece}`)
  const floor = floorOn(image)
  if (promised.floor > 0 && !(typeof floor === 'number' && floor >= promised.floor)) lost.push(`the floor ${promised.floor}`)
  if (recordsOn(image) < promised.records) lost.push('an audit record')
  run.tally.lost += lost.length
  for (const what of lost) note(run.tally, history, `lost: ${what}`)
}

/** The last visit, in which nothing fails, ends well and fetches nothing that was kept. */
async function requireFinished(
  history: History,
  { visits, promised }: { readonly visits: readonly Visit[]; readonly promised: Promises },
  run: Run,
): Promise<void> {
  const last = visits.at(-1)
  if (last === undefined) return
  const again = last.fetched.filter((piece) => promised.pieces.has(piece))
  run.tally.refetched += again.length
  for (const piece of again) note(run.tally, history, `fetched again: piece ${piece}`)
  const image = last.disk.image('lost')
  const { kept, wrong } = await inspect(image, history.scene.layout)
  const isWell = last.isDelivered && kept.size === ARTIFACT.pieces.count && wrong.length === 0 && last.wrong.length === 0
  if (isWell) return
  run.tally.unfinished++
  note(
    run.tally,
    history,
    `not finished: ${[last.error instanceof Error ? last.error.message : 'no error', ...wrong, ...last.wrong].join(', ')}`,
  )
}

const FINDINGS_KEPT = 50

function note(tally: Tally, { scene, failures }: History, what: string): void {
  if (tally.findings.length >= FINDINGS_KEPT) return
  const story = failures.map(({ place, kind, loss, at }) => `${kind} at ${at}, ${place} (unflushed: ${loss})`)
  tally.findings.push(`${scene.name}; ${story.join('; then ')}: ${what}`)
}
