/** Whether the user agreed that other downloaders may see this machine's address. One answer for the whole origin, in all of its tabs. */
export interface MeshConsent {
  readonly isGranted: boolean
  set(isGranted: boolean): void
  /** Another tab changed it. Returns what stops it. */
  onChange(listener: () => void): () => void
}

const KEY = 'sealift-mesh-consent'

export function openConsent(): MeshConsent {
  // Where the browser keeps nothing for this site, the answer lives as long as the page.
  let volatile: string | undefined
  return {
    get isGranted() {
      return (volatile ?? read()) === 'granted'
    },
    set(isGranted) {
      volatile = isGranted ? 'granted' : 'denied'
      write(volatile)
    },
    onChange(listener) {
      const hear = (event: StorageEvent): void => {
        if (event.key !== KEY && event.key !== null) return
        volatile = undefined
        listener()
      }
      addEventListener('storage', hear)
      return () => removeEventListener('storage', hear)
    },
  }
}

/** Somebody said yes or no on this origin, and the browser could keep it. */
export function isConsentAnswered(): boolean {
  return read() !== null
}

function read(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch {
    // Storage is blocked for this site: nothing was ever agreed to here.
    return null
  }
}

function write(answer: string): void {
  try {
    localStorage.setItem(KEY, answer)
  } catch {
    // Blocked or full: the answer holds for this page, and is asked for again.
  }
}
