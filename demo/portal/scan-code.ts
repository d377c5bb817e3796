interface Detector {
  detect(image: HTMLVideoElement): Promise<readonly { readonly rawValue: string }[]>
}

declare global {
  interface Window {
    /** Where the browser can read codes itself: Chromium on Android, ChromeOS and macOS. */
    BarcodeDetector?: new (options: { readonly formats: readonly string[] }) => Detector
  }
}

/** Time to find the code and hold it still. */
const SCAN_MS = 60_000
const LOOK_MS = 200

export function canScan(): boolean {
  return window.BarcodeDetector !== undefined && navigator.mediaDevices !== undefined
}

/**
 * The first QR code that the camera sees.
 * @param video shows what the camera sees meanwhile
 * @throws {DOMException} when the camera is refused, when `signal` aborts, or after a minute
 */
export async function scanCode(video: HTMLVideoElement, signal: AbortSignal): Promise<string> {
  const { BarcodeDetector } = window
  if (BarcodeDetector === undefined) throw new DOMException('This browser reads no codes.', 'NotSupportedError')
  const until = AbortSignal.any([signal, AbortSignal.timeout(SCAN_MS)])
  const detector = new BarcodeDetector({ formats: ['qr_code'] })
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } })
  try {
    video.srcObject = stream
    await video.play()
    for (;;) {
      until.throwIfAborted()
      const [found] = await detector.detect(video)
      if (found !== undefined) return found.rawValue
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  } finally {
    for (const track of stream.getTracks()) track.stop()
    video.srcObject = null
  }
}
