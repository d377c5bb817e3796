/** A signaling server in a process of its own, driven by signaling-process.ts over IPC: it can be killed, stopped, and told to behave badly. */

import { startHostileSignaling, type SignalingManner } from './hostile-signaling.ts'

export type Order =
  | { readonly id: number; readonly kind: 'start'; readonly origins: readonly string[]; readonly port: number }
  | { readonly id: number; readonly kind: 'behave'; readonly manner: SignalingManner }
  | { readonly id: number; readonly kind: 'facts' }

let server: Awaited<ReturnType<typeof startHostileSignaling>> | undefined

async function obey(order: Order): Promise<unknown> {
  if (order.kind === 'start') {
    server = await startHostileSignaling(order)
    return server.port
  }
  if (order.kind === 'facts') return server?.facts()
  server?.behave(order.manner)
  return undefined
}

process.on('message', (order: Order) => {
  obey(order).then(
    (result) => process.send?.({ id: order.id, result }),
    (error: unknown) => process.send?.({ id: order.id, error: String(error) }),
  )
})
// Whoever started it is gone, and whatever it was for.
process.on('disconnect', () => process.exit(0))
