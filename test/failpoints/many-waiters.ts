import { EventEmitter } from 'node:events'

// Imported before the stores: who died still waits on the signals that they share, which is more than Node thinks proper.
EventEmitter.defaultMaxListeners = 1_000_000
