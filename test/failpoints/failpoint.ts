/**
 * What may happen at one place where storage is waited for. `rejects`: nothing was done. `rejects-late`: it was done, and the answer says
 * otherwise. `full`: as `rejects`, as a full disk says it. `dies`, `dies-late`: the process ends there, before it was done or after;
 * whoever waits never hears, and nothing that comes later happens.
 */
export type FailureKind = 'rejects' | 'rejects-late' | 'full' | 'dies' | 'dies-late'

export interface PlantedFailure {
  /** Which place, counted from 0 in the order in which they are passed. */
  readonly at: number
  readonly kind: FailureKind
}

export interface Place {
  /** What is waited for. */
  readonly name: string
  /** A full disk shows where something is written. */
  readonly isWriting: boolean
}

/** Every place at which storage is waited for passes through here. Counts them, and fails at the one that was chosen. */
export interface Failpoints {
  readonly passed: readonly Place[]
  readonly hasHappened: boolean
  readonly isDead: boolean
  /** Resolves when the process has died. */
  readonly death: Promise<void>
  /** One call that is waited for. */
  wait<T>(place: Place, effect: () => T): Promise<T>
  /** One call that answers at once. A process that dies in it throws, since it cannot stand still. */
  now<T>(place: Place, effect: () => T): T
}

/** The failures that make a difference at this place. */
export function kindsAt({ isWriting }: Place): readonly FailureKind[] {
  return isWriting ? ['rejects', 'rejects-late', 'full', 'dies', 'dies-late'] : ['rejects', 'dies']
}

export const isDeath = (kind: FailureKind | undefined): boolean => kind === 'dies' || kind === 'dies-late'

export function createFailpoints(planted?: PlantedFailure): Failpoints {
  const passed: Place[] = []
  let hasHappened = false
  let isDead = false
  let die = (): void => undefined
  const death = new Promise<void>((resolve) => {
    die = resolve
  })
  const never = new Promise<never>(() => undefined)

  /** What the caller sees; `never` of a process that has died. */
  const pass = <T>(place: Place, effect: () => T): { readonly value: T } | 'never' => {
    if (isDead) return 'never'
    const at = passed.push(place) - 1
    if (planted?.at !== at) return { value: effect() }
    hasHappened = true
    if (planted.kind === 'dies-late' || planted.kind === 'rejects-late') effect()
    if (isDeath(planted.kind)) {
      isDead = true
      die()
      return 'never'
    }
    throw planted.kind === 'full' ? new DOMException('full', 'QuotaExceededError') : new Error(`planted at ${place.name}`)
  }

  return {
    passed,
    death,
    get hasHappened() {
      return hasHappened
    },
    get isDead() {
      return isDead
    },
    async wait(place, effect) {
      const answer = pass(place, effect)
      return answer === 'never' ? await never : answer.value
    },
    now(place, effect) {
      const answer = pass(place, effect)
      if (answer === 'never') throw new Error('the process has died')
      return answer.value
    },
  }
}
