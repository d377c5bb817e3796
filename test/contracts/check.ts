import { failureOf, type Failure } from '../../src/core/errors.ts'

/** One claim of a contract. Runs in Node and in a browser alike, so it knows no test runner. */
export interface ContractCase<Subject> {
  /** A sentence in domain words. */
  readonly name: string
  run(subject: Subject): Promise<void>
}

/** @throws {Error} unless `actual` is the same as `expected`: bytes by content, other values as JSON shows them */
export function expectSame(actual: unknown, expected: unknown, what: string): void {
  const [seen, wanted] = [show(actual), show(expected)]
  if (seen !== wanted) throw new Error(`${what}: expected ${wanted.slice(0, 300)}, got ${seen.slice(0, 300)}`)
}

/** The failure that `work` ends with. @throws {Error} when it ends well, or with anything but a `DeliveryError` */
export async function expectFailure(work: Promise<unknown>, codes: readonly Failure['code'][]): Promise<Failure> {
  const reason = await reasonOf(work)
  const failure = failureOf(reason)
  if (failure === undefined || !codes.includes(failure.code)) throw new Error(`expected ${codes.join(' or ')}, got ${String(reason)}`)
  return failure
}

/** What `work` rejects with. @throws {Error} when it does not reject */
export async function reasonOf(work: Promise<unknown>): Promise<unknown> {
  const outcome = await work.then(
    () => ({ isRejected: false, reason: undefined }),
    (reason: unknown) => ({ isRejected: true, reason }),
  )
  if (!outcome.isRejected) throw new Error('expected a rejection, but it went well')
  return outcome.reason
}

function show(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes ${[...value].join(',')}`
  return JSON.stringify(value) ?? String(value)
}
