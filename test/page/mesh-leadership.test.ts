import { expect, test } from 'vitest'
import { createLeadership, SILENT_MS, type Leadership } from '../../src/page/mesh-leadership.ts'
import { createVirtualClock, settle, type VirtualClock } from '../fakes/virtual-clock.ts'

/** The lock manager and the channel of one origin, as far as one lock goes. */
function createOrigin() {
  type Wish = { readonly work: () => Promise<void>; readonly resolve: () => void; readonly reject: (reason: unknown) => void }
  const queue: Wish[] = []
  let holder: Wish | undefined
  const listeners = new Map<object, (event: { readonly data: unknown }) => void>()
  const next = (): void => {
    if (holder !== undefined) return
    const wish = queue.shift()
    if (wish === undefined) return
    holder = wish
    const free = (): void => {
      if (holder === wish) holder = undefined
      next()
    }
    wish.work().then(
      () => {
        free()
        wish.resolve()
      },
      (error: unknown) => {
        free()
        wish.reject(error)
      },
    )
  }
  const request = (_name: string, how: LockOptions, work: () => Promise<void>): Promise<void> =>
    new Promise((resolve, reject) => {
      const wish = { work, resolve, reject }
      how.signal?.addEventListener('abort', () => {
        const at = queue.indexOf(wish)
        if (at < 0) return
        queue.splice(at, 1)
        reject(how.signal?.reason)
      })
      if (how.steal === true) {
        holder?.reject(new DOMException('The lock was stolen.', 'AbortError'))
        holder = undefined
        queue.unshift(wish)
      } else queue.push(wish)
      queueMicrotask(next)
    })
  const open = () => {
    const self = {}
    let isMute = false
    return {
      mute: (next: boolean) => (isMute = next),
      channel: {
        postMessage(data: unknown) {
          if (isMute) return
          for (const [other, listener] of listeners) if (other !== self) queueMicrotask(() => listener({ data }))
        },
        addEventListener: (_type: string, listener: (event: { readonly data: unknown }) => void) => void listeners.set(self, listener),
        close: () => void listeners.delete(self),
      },
    }
  }
  return { request, open }
}

interface Tab {
  readonly leadership: Leadership
  readonly isLeading: boolean
  /** How often it began to lead. */
  readonly led: number
  isBusy: boolean
  /** Says nothing from now on, or again, as a tab whose main thread is stuck. */
  mute(isMute: boolean): void
}

function openTab(origin: ReturnType<typeof createOrigin>, clock: VirtualClock): Tab {
  const { channel, mute } = origin.open()
  const state = { isLeading: false, led: 0, isBusy: false }
  const leadership = createLeadership({
    clock,
    locks: { request: origin.request } as unknown as LockManager,
    channel: channel as unknown as BroadcastChannel,
    mayHandOver: () => !state.isBusy,
    async lead(signal) {
      state.isLeading = true
      state.led++
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
      state.isLeading = false
    },
  })
  return Object.assign(state, { leadership, mute })
}

async function twoTabs() {
  const clock = createVirtualClock()
  const origin = createOrigin()
  const [first, second] = [openTab(origin, clock), openTab(origin, clock)]
  first.leadership.stand()
  await settle()
  second.leadership.stand()
  await settle()
  return { clock, first, second }
}

/** A tab with work to do asks every two seconds. */
async function askFor(tab: Tab, clock: VirtualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 2000) {
    tab.leadership.ask()
    await settle()
    await clock.advance(2000)
  }
}

test('one tab leads, and the next one does when it resigns', async () => {
  const { first, second } = await twoTabs()
  expect([first.isLeading, second.isLeading]).toEqual([true, false])
  first.leadership.resign()
  await settle()
  expect([first.isLeading, second.isLeading]).toEqual([false, true])
})

test('a tab that needs peers is handed the lead by one that does not', async () => {
  const { clock, first, second } = await twoTabs()
  await askFor(second, clock, 2000)
  expect([first.isLeading, second.isLeading]).toEqual([false, true])
})

test('a leader that is busy and says so every second keeps the lead, however often it is asked', async () => {
  const { clock, first, second } = await twoTabs()
  first.isBusy = true
  await askFor(second, clock, 60_000)
  expect([first.isLeading, second.isLeading]).toEqual([true, false])
})

test('a leader that says nothing any more is robbed after five seconds by a tab with work to do, and ends what it did when it hears of it', async () => {
  const { clock, first, second } = await twoTabs()
  first.isBusy = true
  await clock.advance(3000)
  first.mute(true)
  await askFor(second, clock, SILENT_MS - 1000)
  expect(second.isLeading).toBe(false)
  await askFor(second, clock, 3000)
  expect([first.isLeading, second.isLeading]).toEqual([false, true])
})

test('the robbed tab stands behind the one that robbed it, and leads again after it', async () => {
  const { clock, first, second } = await twoTabs()
  first.isBusy = true
  first.mute(true)
  await askFor(second, clock, 8000)
  first.mute(false)
  second.isBusy = true
  await askFor(first, clock, 20_000)
  expect([first.isLeading, second.isLeading]).toEqual([false, true])
  second.leadership.close()
  await settle()
  expect([first.isLeading, first.led, second.led]).toEqual([true, 2, 1])
})

test('a tab without work lets a silent leader be', async () => {
  const { clock, first, second } = await twoTabs()
  first.mute(true)
  await clock.advance(60_000)
  expect([first.isLeading, second.isLeading]).toEqual([true, false])
})

test('a tab that was frozen itself robs nobody, though it has heard nothing for long', async () => {
  const { clock, first, second } = await twoTabs()
  first.isBusy = true
  await askFor(second, clock, 4000)
  first.mute(true)
  await clock.advance(60_000)
  first.mute(false)
  second.leadership.ask()
  await settle()
  expect([first.isLeading, second.isLeading]).toEqual([true, false])
})
