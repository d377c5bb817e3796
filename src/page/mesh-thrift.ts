/** Whether this machine should give nothing to peers now: its line is paid by the byte, or its battery is low. */
export interface Thrift {
  readonly isThrifty: boolean
  /** Returns what stops it. */
  onChange(listener: () => void): () => void
}

/** Below it, a battery that is not charged keeps what it has for its owner. */
const LOW_BATTERY = 0.2

/** @param signs a `navigator`: each part of it counts only where the browser tells it */
export function watchThrift(signs: object): Thrift {
  const listeners = new Set<() => void>()
  const told = (): void => {
    for (const listener of listeners) listener()
  }
  const connection = readOf(signs, 'connection')
  let battery: unknown
  if (connection instanceof EventTarget) connection.addEventListener('change', told)
  void batteryOf(signs).then((found) => {
    battery = found
    if (!(found instanceof EventTarget)) return
    for (const event of ['levelchange', 'chargingchange']) found.addEventListener(event, told)
    told()
  })
  return {
    get isThrifty() {
      return isMetered(connection) || isLow(battery)
    },
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

/** https://wicg.github.io/netinfo/: Chromium alone tells, and some of it on mobile alone. */
function isMetered(connection: unknown): boolean {
  return readOf(connection, 'saveData') === true || readOf(connection, 'metered') === true || readOf(connection, 'type') === 'cellular'
}

function isLow(battery: unknown): boolean {
  const level = readOf(battery, 'level')
  return readOf(battery, 'charging') === false && typeof level === 'number' && level <= LOW_BATTERY
}

function readOf(owner: unknown, name: string): unknown {
  return typeof owner === 'object' && owner !== null ? Reflect.get(owner, name) : undefined
}

async function batteryOf(signs: object): Promise<unknown> {
  const getBattery = readOf(signs, 'getBattery')
  if (typeof getBattery !== 'function') return undefined
  try {
    return await Reflect.apply(getBattery, signs, [])
  } catch {
    // A policy of the page may forbid it: then nothing is known of a battery.
    return undefined
  }
}
