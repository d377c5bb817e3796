/** `sealift/element`: defines `<sealift-download>`, for pages without a bundler. */

import { SealiftDownload, type FailedDetail, type ProgressDetail } from './download-element.ts'
import type { Delivered } from '../page/index.ts'

export { SealiftDownload, type FailedDetail, type ProgressDetail } from './download-element.ts'
export type { ElementState } from './situation.ts'
export type { Texts } from './texts.ts'

/** What the element tells, up to the document. */
export interface DownloadEvents {
  readonly 'sealift-progress': CustomEvent<ProgressDetail>
  /** The file is verified. Unless that is prevented, it is put into the browser's downloads. */
  readonly 'sealift-done': CustomEvent<Delivered>
  readonly 'sealift-failed': CustomEvent<FailedDetail>
}

declare global {
  interface HTMLElementTagNameMap {
    'sealift-download': SealiftDownload
  }
  interface HTMLElementEventMap extends DownloadEvents {}
  interface DocumentEventMap extends DownloadEvents {}
}

if (customElements.get('sealift-download') === undefined) customElements.define('sealift-download', SealiftDownload)
