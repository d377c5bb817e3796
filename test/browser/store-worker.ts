import { answerLab, type LabRequest } from './store-lab.ts'

// Runs in a dedicated worker or a service worker. Reports go to the port as numbers, the answer as an object.
addEventListener('message', (event: MessageEvent<LabRequest>) => {
  const [port] = event.ports
  answerLab(event.data, (kept) => port?.postMessage(kept)).then(
    (answer) => port?.postMessage({ answer }),
    (error: unknown) => port?.postMessage({ error: String(error) }),
  )
})
