import { build, runTests, type TestRun } from './run-tests.ts'
import { flawOfBaseline, judgePlanted, type Row } from './judge.ts'
import { createScratchTree, type ScratchTree } from './scratch-tree.ts'
import type { TestSelection, Weakness } from './weakness.ts'

/** Two: a test waits as often as it works, and nobody's machine is free. */
const AT_A_TIME = 2

/** Plants each weakness into a copy of the tree in `root`, and sees whether its tests notice. Tells of each row when it is known. */
export async function plantAll(root: string, weaknesses: readonly Weakness[], tell: (row: Row) => void): Promise<readonly Row[]> {
  const trees = await Promise.all(Array.from({ length: Math.min(AT_A_TIME, weaknesses.length) }, () => createScratchTree(root)))
  try {
    const baselines = await runBaselines(trees, weaknesses)
    const rows = new Map<Weakness, Row>()
    await shareOut(trees, weaknesses, async (tree, weakness) => {
      const flaw = flawOfBaseline(baselines.get(batchOf(weakness)) ?? { tests: [], broken: 'not run' }, weakness)
      const row = flaw === undefined ? await plantOne(tree, weakness) : { name: weakness.name, caught: false, detail: flaw }
      rows.set(weakness, row)
      tell(row)
    })
    return weaknesses.flatMap((weakness) => rows.get(weakness) ?? [])
  } finally {
    await Promise.all(trees.map((tree) => tree.remove()))
  }
}

async function plantOne(tree: ScratchTree, weakness: Weakness): Promise<Row> {
  return tree.withPlanted(weakness, async () => {
    const failure = weakness.needsBuild === true ? await build(tree.dir) : undefined
    if (failure !== undefined) return { name: weakness.name, caught: false, detail: failure }
    return judgePlanted(await runTests(tree.dir, weakness.tests), weakness)
  })
}

/** The same tests with nothing planted, once for all rows that share a project: they must pass, or their failing says nothing. */
async function runBaselines(trees: readonly ScratchTree[], weaknesses: readonly Weakness[]): Promise<ReadonlyMap<string, TestRun>> {
  const batches = new Map(weaknesses.map((one) => [batchOf(one), weaknesses.filter((other) => batchOf(other) === batchOf(one))]))
  if (weaknesses.some(({ needsBuild }) => needsBuild === true)) {
    for (const tree of trees) {
      const failure = await build(tree.dir)
      if (failure !== undefined) throw new Error(failure)
    }
  }
  const runs = new Map<string, TestRun>()
  await shareOut(trees, [...batches], async (tree, [batch, rows]) => {
    runs.set(batch, await runTests(tree.dir, uniqueSelections(rows)))
  })
  return runs
}

function batchOf({ tests }: Weakness): string {
  return [...new Set(tests.map(({ project }) => project))].toSorted().join('+')
}

function uniqueSelections(rows: readonly Weakness[]): readonly TestSelection[] {
  return [...new Map(rows.flatMap(({ tests }) => tests).map((selection) => [JSON.stringify(selection), selection])).values()]
}

/** Each tree takes the next piece of work as soon as it is free. */
async function shareOut<T>(
  trees: readonly ScratchTree[],
  work: readonly T[],
  act: (tree: ScratchTree, one: T) => Promise<void>,
): Promise<void> {
  const rest = work.values()
  await Promise.all(
    trees.map(async (tree) => {
      for (const one of rest) await act(tree, one)
    }),
  )
}
