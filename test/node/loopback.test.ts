import { expect, test } from 'vitest'
import { isLoopback } from '../../src/node/loopback.ts'

test.each(['http://localhost/', 'http://127.0.0.1:8080/x', 'http://127.1/', 'ws://127.9.9.9/', 'http://[::1]:80/'])(
  '%s is this machine',
  (url) => {
    expect(isLoopback(url)).toBe(true)
  },
)

// Somebody may own such a name, and answer it with any address.
test.each(['http://127.evil.example/', 'http://localhost.evil.example/', 'http://evil.localhost/', 'http://10.0.0.1/', 'http://[::2]/'])(
  '%s may be another one',
  (url) => {
    expect(isLoopback(url)).toBe(false)
  },
)
