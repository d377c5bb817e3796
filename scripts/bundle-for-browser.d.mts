import type { Plugin } from 'vite'

/**
 * One script, in memory, of an entry that uses the Sigstore packages. Its exports are the properties of the global `name`.
 * @param options.plugins that see the modules besides the usual ones
 */
export function bundleForBrowser(options: {
  readonly entry: string
  readonly name: string
  readonly plugins?: readonly Plugin[]
}): Promise<string>
