import { join, resolve } from 'node:path'
import { startStack, type Stack } from './stack.ts'

/** Slow enough for a person to switch something off on the way; a real line is seldom faster. */
const CDN_BYTES_PER_SECOND = 4 * 1024 * 1024
const PORTAL_PORTS = Array.from({ length: 20 }, (_, i) => 8080 + i)

/** `npm start`: starts everything, says where it is, and ends it all on Ctrl-C. */
export async function runDemo(): Promise<void> {
  const project = resolve(import.meta.dirname, '..', '..', '..')
  const stop = new AbortController()
  const ended = new Promise<void>((resolveEnd) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.once(name, () => {
        stop.abort(new Error(`ended by ${name}`))
        resolveEnd()
      })
    }
  })
  console.log('Sealift demo: signing and publishing the artifacts …')
  const options = { project, stateDir: join(process.cwd(), '.sealift'), portalPorts: PORTAL_PORTS, cdnBytesPerSecond: CDN_BYTES_PER_SECOND }
  let stack: Stack
  try {
    stack = await startStack(options, stop.signal)
  } catch (error) {
    if (stop.signal.aborted) return
    throw error
  }
  console.log(describe(stack))
  await ended
  await stack.close()
  console.log('Everything is stopped.')
}

function describe(stack: Stack): string {
  const { portal, peer, signaling } = stack.urls
  const artifacts = stack.published.catalogue.artifacts.map(
    ({ name, version, artifact }) => `${name} ${version} (${(artifact.sizeBytes / 2 ** 20).toFixed(1)} MiB)`,
  )
  return [
    '',
    `  Open       ${portal}`,
    `  A peer     ${peer}   (another origin, so another storage)`,
    '',
    `  CDN 1      ${stack.cdn[0].url}`,
    `  CDN 2      ${stack.cdn[1].url}`,
    `  Gateway    ${stack.gateway.url}   ${stack.gateway.note}`,
    `  Signaling  ${signaling}`,
    `  Artifacts  ${artifacts.join(', ')}`,
    `  Kept in    ${stack.workDir}   (keys, published site)`,
    '',
    '  Ctrl-C ends all of it.',
  ].join('\n')
}
