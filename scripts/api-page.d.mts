import type { Entry } from './public-api.d.mts'

/** Every `@example`, as a module that can be copied: what it uses of its own entry is imported. */
export function examplesOf(entry: Entry): readonly { readonly name: string; readonly text: string }[]

/** The text of docs/api.md. */
export function renderApi(api: readonly Entry[]): string
