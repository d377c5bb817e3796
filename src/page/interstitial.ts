import { DeliveryError } from '../core/errors.ts'
import type { DeliveryEvent } from '../core/wire/delivery-event.ts'
import type { Download, DownloadOptions } from './download.ts'
import { requestOf } from './guard-links.ts'

/** The part of the SDK that the small page needs. */
export interface InterstitialTools {
  download(name: string, options: DownloadOptions): Download
  downloadDigest(sha256: string, options: DownloadOptions): Download
}

/**
 * What the service worker's small page runs when somebody navigates to a virtual URL: fetches, verifies, saves, and says so.
 * The page is made in `src/worker/interstitial.ts`; the two share the ids of its elements.
 */
export async function showInterstitial(start: () => Promise<InterstitialTools>, scope: string): Promise<void> {
  const say = (text: string): void => document.querySelector('#sealift-state')?.replaceChildren(text)
  const onEvent = (event: DeliveryEvent): void => {
    const bar = document.querySelector<HTMLProgressElement>('#sealift-progress')
    if (bar === null) return
    if (event.kind === 'resolved') say(`Fetching ${event.artifact.filename}, ${event.artifact.version}…`)
    if (event.kind === 'progress') bar.value = event.sizeBytes === 0 ? 1 : event.verifiedBytes / event.sizeBytes
  }
  const link = document.createElement('a')
  link.href = location.href
  const request = requestOf(link, { scope, isAlias: () => false })
  try {
    const tools = await start()
    if (request === undefined || request.kind === 'alias')
      throw new DeliveryError({ code: 'artifact-unknown', name: location.pathname, version: undefined })
    const download =
      request.kind === 'digest'
        ? tools.downloadDigest(request.sha256, { onEvent })
        : tools.download(request.name, { version: request.version, onEvent })
    const delivered = await download.result
    delivered.save()
    say(`${delivered.file.name} is verified and saved to your downloads.`)
  } catch (error) {
    say(error instanceof DeliveryError ? `Not delivered (${error.code}). ${error.nextStep}` : 'Not delivered. Reload this page.')
  }
}
