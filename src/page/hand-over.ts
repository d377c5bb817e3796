import { safeMediaType } from '../core/respond/headers.ts'
import type { ArtifactFacts } from '../core/wire/delivery-event.ts'

/** The browser reads an object URL when it starts to save, which takes a moment; a file in use must not be revoked under it. */
const REVOKE_AFTER_MS = 60_000

/** The verified bytes under their own name. No copy: the browser goes on holding them where they are. */
export function toFile(blob: Blob, artifact: ArtifactFacts): File {
  return new File([blob], artifact.filename, { type: safeMediaType(artifact.mediaType), lastModified: Date.now() })
}

/**
 * Gives a finished file to the browser's own downloads. Works without a service worker and survives the closing of the tab; a live stream into
 * the download manager would not, and a cut one is taken for complete by some browsers.
 */
export function saveFile(file: File): void {
  const url = URL.createObjectURL(file)
  const link = document.createElement('a')
  link.href = url
  link.download = file.name
  link.hidden = true
  document.body.append(link)
  link.click()
  link.remove()
  setTimeout(() => URL.revokeObjectURL(url), REVOKE_AFTER_MS)
}
