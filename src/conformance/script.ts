/** A page, a worker or a service worker (`importScripts`) that loads this has `verifyBundle` on its global. */

import { verifyBundle } from './verify-bundle.ts'

Object.assign(globalThis, { verifyBundle })
