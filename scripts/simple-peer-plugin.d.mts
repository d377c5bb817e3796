import type { Plugin } from 'vite'

/** Gives simple-peer browser stand-ins for the Node packages that it asks for, and touches nothing else of a build. */
export function simplePeerShims(): Plugin
