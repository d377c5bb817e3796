/**
 * Resolves in a task of its own, so that what has arrived meanwhile is handled first. Reading a body whose bytes are there already takes no
 * task at all, and `setTimeout` four milliseconds.
 */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve)
    channel ??= openChannel()
    channel.postMessage(undefined)
  })
}

const waiting: (() => void)[] = []
let channel: MessagePort | undefined

function openChannel(): MessagePort {
  const { port1, port2 } = new MessageChannel()
  port1.addEventListener('message', () => waiting.shift()?.())
  port1.start()
  return port2
}
