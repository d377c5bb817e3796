import { parseVirtualUrl } from '../core/respond/virtual-url.ts'
import type { ArtifactRequest } from '../core/wire/delivery-event.ts'

export interface GuardOptions {
  /** Scope of the service worker, absolute. */
  readonly scope: string
  /** Plain URLs that stand for artifacts. */
  readonly isAlias: (url: string) => boolean
  readonly onClick: (request: ArtifactRequest, link: HTMLAnchorElement) => void
}

/**
 * Turns clicks on links to artifacts into downloads of the SDK. `<a download>` goes past a service worker in Chromium, straight to the network, so
 * the attribute is taken off: a link that is opened some other way (new tab, keyboard) then reaches the worker, or a 404.
 * Links that are added later are guarded too. Returns what stops it.
 */
export function guardLinks(root: ParentNode & Node, options: GuardOptions): () => void {
  const strip = (): void => {
    for (const link of root.querySelectorAll<HTMLAnchorElement>('a[href][download]'))
      if (requestOf(link, options) !== undefined) link.removeAttribute('download')
  }
  const onClick = (event: Event): void => {
    const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>('a[href]') : null
    if (link === null || !isPlainClick(event)) return
    const request = requestOf(link, options)
    if (request === undefined) return
    event.preventDefault()
    options.onClick(request, link)
  }
  strip()
  const observer = new MutationObserver(strip)
  observer.observe(root, { subtree: true, childList: true, attributes: true, attributeFilter: ['download', 'href'] })
  root.addEventListener('click', onClick)
  return () => {
    observer.disconnect()
    root.removeEventListener('click', onClick)
  }
}

/** The artifact that a link leads to, or undefined. */
export function requestOf(
  link: HTMLAnchorElement,
  { scope, isAlias }: Pick<GuardOptions, 'scope' | 'isAlias'>,
): ArtifactRequest | undefined {
  const virtual = parseVirtualUrl(link.href, scope)
  if (virtual?.kind === 'digest') return { kind: 'digest', sha256: virtual.sha256 }
  if (virtual?.kind === 'name')
    return { kind: 'name', name: virtual.name, version: virtual.version, platform: undefined, channel: undefined }
  return isAlias(link.href) ? { kind: 'alias', url: link.href } : undefined
}

/** With a modifier the user wants a new tab or window: the navigation reaches the worker by itself. */
function isPlainClick(event: Event): boolean {
  return (
    event instanceof MouseEvent &&
    event.button === 0 &&
    !event.ctrlKey &&
    !event.metaKey &&
    !event.shiftKey &&
    !event.altKey &&
    !event.defaultPrevented
  )
}
