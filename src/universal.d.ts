// The handful of globals that windows, workers and Node share and that pure code may use.
// Nothing here does I/O, reads a clock or draws chance.

interface AbortSignal {
  readonly aborted: boolean
  readonly reason: unknown
  throwIfAborted(): void
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}
declare const AbortSignal: { any(signals: readonly AbortSignal[]): AbortSignal }

interface AbortController {
  readonly signal: AbortSignal
  abort(reason?: unknown): void
}
declare const AbortController: { new (): AbortController }

interface URL {
  readonly href: string
  readonly protocol: string
  readonly origin: string
  readonly host: string
  readonly hostname: string
  readonly pathname: string
  readonly search: string
  readonly hash: string
  readonly username: string
  readonly password: string
}
declare const URL: { new (url: string, base?: string): URL; canParse(url: string, base?: string): boolean }

declare const TextEncoder: { new (): { encode(text: string): Uint8Array<ArrayBuffer> } }
declare const TextDecoder: {
  new (label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean }): { decode(bytes: Uint8Array): string }
}

declare function atob(base64: string): string
declare function btoa(binary: string): string
