import { createRequire } from 'node:module'
import * as bundle from '@sigstore/bundle'
import * as core from '@sigstore/core'
import * as specs from '@sigstore/protobuf-specs'
import * as rekor from '@sigstore/protobuf-specs/rekor/v2'
import * as verify from '@sigstore/verify'
import { expect, test } from 'vitest'

const inNode = createRequire(import.meta.url)

test.each([
  ['@sigstore/bundle', bundle],
  ['@sigstore/core', core],
  ['@sigstore/protobuf-specs', specs],
  ['@sigstore/protobuf-specs/rekor/v2', rekor],
  ['@sigstore/verify', verify],
])('%s exports as a module what Node finds in it', (name, module) => {
  expect(shapeOf(module)).toEqual(shapeOf(inNode(name)))
})

/** Names and kinds, and the constants themselves. Of messages without their writers, which a browser gets none of. */
function shapeOf(module: object): unknown {
  const entries = Object.entries(module).filter(([name]) => name !== 'default' && name !== 'toJSON')
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === 'object' && value !== null ? shapeOf(value) : kindOf(value)]),
  )
}

function kindOf(value: unknown): unknown {
  return typeof value === 'function' ? `function of ${value.length}` : value
}
