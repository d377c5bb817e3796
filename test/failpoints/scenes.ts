import { EMPTY_DISK, type DiskImage } from './disk.ts'
import { ARTIFACT, visit, type Layout } from './visit.ts'

/** What a machine has kept when the visit begins in which something fails. */
export interface Scene {
  readonly name: string
  readonly layout: Layout
  readonly image: DiskImage
  /** Somebody has changed a kept piece: it may be read until it is hashed, and is fetched again. */
  readonly isAltered: boolean
  /** The visit in which something fails ends with a refusal. */
  readonly forgets: boolean
  /** What it keeps in files is cleared in its middle. */
  readonly clears: boolean
}

/** Every state that a visit can find, for both places where pieces can lie. */
export async function createScenes(): Promise<readonly Scene[]> {
  const scenes: Scene[] = []
  for (const layout of ['opfs', 'blobs'] as const) {
    const whole = (await visit(EMPTY_DISK, 1, { layout })).disk.image('kept')
    const partial = without(whole, 2)
    const add = (name: string, image: DiskImage, over: Partial<Scene> = {}): void => {
      scenes.push({ name: `${layout}: ${name}`, layout, image, isAltered: false, forgets: false, clears: false, ...over })
    }
    add('nothing is kept', EMPTY_DISK)
    add('some pieces are kept', partial)
    add('all is kept, and verified', whole)
    add('what was kept is gone, and its flags are not', { ...partial, files: new Map(), tables: withoutBlobs(partial) })
    add('a kept piece is altered', altered(partial), { isAltered: true })
    add('it is kept under another cut', recut(whole))
    add('some pieces are kept, and all is refused', partial, { forgets: true })
    if (layout === 'opfs') add('nothing is kept, and files are cleared in the middle', EMPTY_DISK, { clears: true })
  }
  return scenes
}

/** As after a visit that ended before this piece was kept. */
function without(image: DiskImage, piece: number): DiskImage {
  const tables = new Map(image.tables)
  for (const store of ['pieces', 'pieceBlobs']) {
    const rows = new Map(image.tables.get(store))
    rows.delete(JSON.stringify([ARTIFACT.sha256, piece]))
    tables.set(store, rows)
  }
  tables.set(
    'artifacts',
    mapRows(tables.get('artifacts'), (row) => ({ ...Object(row), state: 'partial' })),
  )
  return { ...image, tables }
}

function withoutBlobs(image: DiskImage): DiskImage['tables'] {
  return new Map([...image.tables].map(([name, table]) => [name, name === 'pieceBlobs' ? new Map() : table]))
}

function altered(image: DiskImage): DiskImage {
  const flip = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes).map((byte, at) => (at === 7 ? byte ^ 1 : byte))
  const files = new Map([...image.files].map(([name, bytes]) => [name, name.endsWith('.part') ? flip(bytes) : bytes]))
  const blobs = [...(image.tables.get('pieceBlobs') ?? [])]
  const first = JSON.stringify([ARTIFACT.sha256, 0])
  const swapped = blobs.map(([key, row]) => [key, key === first ? { ...row, value: new Blob([new Uint8Array(1024)]) } : row] as const)
  return { files, tables: new Map([...image.tables, ['pieceBlobs', new Map(swapped)]]) }
}

/** The same bytes, once cut into smaller pieces: their indices mean something else now. */
function recut(image: DiskImage): DiskImage {
  const cut = { pieceLengthBytes: 512, count: Math.ceil(ARTIFACT.sizeBytes / 512), state: 'partial' }
  return {
    ...image,
    tables: new Map([...image.tables, ['artifacts', mapRows(image.tables.get('artifacts'), (row) => ({ ...Object(row), ...cut }))]]),
  }
}

function mapRows(table: ReturnType<DiskImage['tables']['get']>, change: (value: unknown) => unknown) {
  return new Map([...(table ?? [])].map(([key, row]) => [key, { ...row, value: change(row.value) }]))
}
