import type { Plugin } from 'vite'

/** Gives the Sigstore packages browser stand-ins for `crypto`, `util` and `Buffer`, and touches nothing else of a build. */
export function sigstoreShims(): Plugin
