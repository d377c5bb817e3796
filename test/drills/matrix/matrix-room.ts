import { sha256Of } from '../../../src/core/verify/digest.ts'
import { FILES, manyBytes, publishFiles, type Publication } from '../../browser/site.ts'
import { startReceiver, type Receiver } from '../receiver.ts'

/** An artifact that cells download. */
export interface MatrixArtifact {
  readonly name: string
  readonly sha256: string
  readonly sizeBytes: number
}

/** What all cells of a run share: one published site, one receiver. */
export interface MatrixRoom {
  readonly publication: Publication
  readonly small: MatrixArtifact
  readonly middle: MatrixArtifact
  readonly receiver: Receiver
  readonly isArtifact: (sha256: string) => boolean
  close(): Promise<void>
}

const MIB = 2 ** 20
const TOOL_BYTES = 8 * MIB

export async function openMatrixRoom(): Promise<MatrixRoom> {
  const tool = manyBytes(8, TOOL_BYTES)
  const publication = await publishFiles({
    more: [{ filename: 'tool-4.0.0.bin', content: tool, mediaType: 'application/octet-stream' }],
  })
  const receiver = await startReceiver()
  const small = { name: 'notes', sha256: publication.digests.notes, sizeBytes: FILES.notes.sizeBytes }
  const middle = { name: 'tool', sha256: sha256Of(tool), sizeBytes: tool.length }
  return {
    publication,
    small,
    middle,
    receiver,
    isArtifact: (sha256) => sha256 === small.sha256 || sha256 === middle.sha256,
    async close() {
      await receiver.close()
      await publication.remove()
    },
  }
}
