import type { Sealift } from '../page/index.ts'

const opened = new Map<string, Promise<Sealift>>()

/**
 * The SDK for a `sealift.json`, one for all elements of the page: the scripts lie beside that file, and its folder is the worker's scope.
 * A failure is not kept: the next call tries again.
 */
export function openSdk(configUrl: string): Promise<Sealift> {
  const known = opened.get(configUrl)
  if (known !== undefined) return known
  const opening = open(configUrl)
  opened.set(configUrl, opening)
  opening.catch(() => void opened.delete(configUrl))
  return opening
}

async function open(configUrl: string): Promise<Sealift> {
  const { register } = await import('../page/index.ts')
  const beside = (name: string): string => new URL(name, configUrl).href
  return await register({ workerUrl: beside('sw.js'), engineUrl: beside('engine.js'), configUrl, scope: beside('.') })
}
