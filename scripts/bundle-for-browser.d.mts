/** One script, in memory, of an entry that uses the Sigstore packages. Its exports are the properties of the global `name`. */
export function bundleForBrowser(options: { readonly entry: string; readonly name: string }): Promise<string>
