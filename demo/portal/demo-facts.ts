/** Where the switches are and what runs: `/demo.json`, kept from the last visit for when the portal is down. */
export interface DemoFacts {
  readonly controlUrl: string
  readonly portalUrl: string
  readonly peerUrl: string
  readonly gatewayKind: string
}

const KEY = 'sealift-demo'
const DEADLINE_MS = 2000

export async function loadDemoFacts(): Promise<DemoFacts> {
  try {
    const response = await fetch('/demo.json', { signal: AbortSignal.timeout(DEADLINE_MS) })
    if (!response.ok) throw new Error(`/demo.json was answered with ${response.status}`)
    const text = await response.text()
    const facts = readFacts(text)
    localStorage.setItem(KEY, text)
    return facts
  } catch (error) {
    const kept = localStorage.getItem(KEY)
    if (kept === null) throw error
    return readFacts(kept)
  }
}

function readFacts(text: string): DemoFacts {
  const value: unknown = JSON.parse(text)
  const fields = new Map(typeof value === 'object' && value !== null ? Object.entries(value) : [])
  const read = (name: string): string => {
    const field: unknown = fields.get(name)
    if (typeof field !== 'string') throw new TypeError(`expected ${name} in /demo.json`)
    return field
  }
  return { controlUrl: read('controlUrl'), portalUrl: read('portalUrl'), peerUrl: read('peerUrl'), gatewayKind: read('gatewayKind') }
}
