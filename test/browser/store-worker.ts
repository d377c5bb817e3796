import { runSuites } from './store-suites.ts'

// Runs in a dedicated worker or a service worker: answers with the results of the suites it is asked for.
addEventListener('message', (event: MessageEvent<readonly string[]>) => {
  const [port] = event.ports
  void runSuites(event.data).then((results) => port?.postMessage(results))
})
