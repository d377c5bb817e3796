import type { OpenFile, OpenFileNamed } from '../stores/open-file.ts'
import type { FileAnswer, FileQuestion, FileThreadEnd } from './file-message.ts'
import { serveThread, Unable, type Answered } from './thread-line.ts'

/** Answers an engine, on a thread of its own: a flush stops the thread that asks for it for milliseconds each megabyte. */
export function serveFiles(port: FileThreadEnd, openFile: Promise<OpenFileNamed>): void {
  const files = new Map<number, OpenFile>()
  // Asked for at the first question; that it failed must not count as unhandled until then.
  openFile.catch(() => undefined)
  const fileOf = (id: number): OpenFile => {
    const file = files.get(id)
    if (file === undefined) throw new RangeError(`file ${id} is not open`)
    return file
  }
  const open = async ({ file, name, sizeBytes }: Extract<FileQuestion, { readonly kind: 'open' }>): Promise<void> => {
    const opener = await openFile.catch((error: unknown) => {
      throw new Unable(String(error))
    })
    files.set(file, await opener(name, sizeBytes))
  }
  serveThread(port, async (question): Promise<Answered<FileAnswer>> => {
    if (question.kind === 'open') {
      await open(question)
      return NOTHING
    }
    const file = fileOf(question.file)
    if (question.kind === 'close') files.delete(question.file)
    return await work(file, question)
  })
}

const NOTHING: Answered<FileAnswer> = { answer: {}, transfer: [] }

async function work(file: OpenFile, question: Exclude<FileQuestion, { readonly kind: 'open' }>): Promise<Answered<FileAnswer>> {
  switch (question.kind) {
    case 'keep': {
      await file.keep(question.spans)
      const spares = question.spans.map(({ bytes }) => bytes.buffer)
      return { answer: { spares }, transfer: spares }
    }
    case 'read': {
      const bytes = await file.read(question.room, question.at)
      return { answer: { bytes }, transfer: [bytes.buffer] }
    }
    case 'close':
      await file.close()
      return NOTHING
  }
}
