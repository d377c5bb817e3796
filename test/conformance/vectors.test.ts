import { fileURLToPath } from 'node:url'
import { createContext, runInContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import type { Plugin } from 'vite'
import { bundleForBrowser } from '../../scripts/bundle-for-browser.mjs'
import { readPage, rowsOf } from '../docs/page.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { answerWith, type Verdict } from './answer.ts'
import { readCases, type ConformanceCase } from './read-cases.ts'
import { isAcceptedByStock } from './stock-verifier.ts'
import { makeVectors } from './vectors.ts'
import { writeVectors } from './write-vectors.ts'

/** One weakness of the stand-ins for Node's cryptography: text of a file under `src/trust/shims`, and what stands there instead. */
type Weakness = readonly [file: string, from: RegExp, to: string]

const entry = fileURLToPath(new URL('../../src/conformance/verify-bundle.ts', import.meta.url))
const vectors = await makeVectors()

const WEAKNESSES: readonly (readonly [name: string, weakness: Weakness, caughtBy: readonly string[]])[] = [
  [
    'takes any signature',
    ['crypto.ts', /(signature: Uint8Array\): boolean \{)/, '$1 return true;'],
    ['log-promise-altered_fail', 'log-checkpoint-altered_fail', 'timestamp-altered_fail', 'certificate-signature-altered_fail'],
  ],
  [
    'takes any ECDSA signature',
    ['public-key.ts', /return CURVES\[.*/, 'return true'],
    ['message-signature-of-other_fail', 'attestation-signature-of-other_fail', 'key-ecdsa-p256-message-signature-of-other_fail'],
  ],
  [
    'takes any Ed25519 signature',
    ['public-key.ts', /return ed25519\.verify.*/, 'return true'],
    ['key-ed25519-attestation-signature-of-other_fail', 'rekor2-checkpoint-altered_fail'],
  ],
  [
    'takes any RSA signature',
    ['public-key.ts', /return verifyRsa.*/, 'return true'],
    ['key-rsa-2048-message-signature-of-other_fail', 'key-rsa-2048-attestation-signature-of-other_fail'],
  ],
  ['refuses the upper half of s', ['public-key.ts', /, lowS: false/, ''], ['message-signature-high-s']],
  [
    'takes any bytes for the same',
    ['crypto.ts', /return difference === 0/, 'return true'],
    ['rekor2-proof-altered_fail', 'timestamp-of-other-signature_fail'],
  ],
  [
    'sees no repetition',
    ['util.ts', /if \(Object\.is\(a, b\)\) return true/, 'return false'],
    ['log-entry-repeated_fail', 'timestamp-repeated_fail'],
  ],
  [
    'hashes the first part only',
    ['crypto.ts', /state\.update\((.*)\)\n\s*return hash\n/, 'if (!hash.isFed) state.update($1); hash.isFed = true\n return hash\n'],
    ['message', 'message-rekor2'],
  ],
  ['takes another hash by default', ['crypto.ts', /algorithm \?\? 'sha256'/, "algorithm ?? 'sha512'"], ['message', 'attestation']],
]

/** An entry that vanishes with a new version of the library is good news. */
const ACCEPTED_BY_THE_LIBRARY = [
  'attestation-of-other_fail',
  'attestation-of-unknown-version_fail',
  'attestation-payload-type_fail',
  'attestation-without-digest_fail',
  'attestation-without-subject_fail',
  'format-media-type-with-suffix_fail',
  'format-signature-not-base64_fail',
  'format-unknown-version_fail',
  'identity-as-pattern_fail',
  'identity-with-prefix_fail',
  'identity-with-suffix_fail',
  'key-wanted-certificate-given_fail',
  'rekor2-root-hash-altered_fail',
  'rekor2-tree-size-altered_fail',
  'root-of-unknown-version_fail',
  'root-without-start-of-certificateauthorities_fail',
  'root-without-start-of-ctlogs_fail',
  'root-without-start-of-timestampauthorities_fail',
  'root-without-start-of-tlogs_fail',
]

test('on sound stand-ins these cases get the verdict that their names say', async () => {
  expect(await disagreements(await cases(WEAKNESSES.flatMap(([, , caughtBy]) => caughtBy)))).toEqual([])
})

describe.each(WEAKNESSES)('a verifier that %s', (_, weakness, caughtBy) => {
  test(`is caught by ${caughtBy.join(', ')}`, async () => {
    expect(await disagreements(await cases(caughtBy), weakness)).toEqual(caughtBy.toSorted())
  })
})

describe('the library that we build on, by itself', () => {
  const accepted = vectors.filter(isAcceptedByStock).map(({ name }) => name)

  test('accepts every case that is to be accepted, so that these are no invention of ours', () => {
    const good = vectors.map(({ name }) => name).filter((name) => !name.endsWith('_fail'))
    expect(good.filter((name) => !accepted.includes(name))).toEqual([])
  })

  test('accepts these that are to be refused, which is why there is a policy around it', () => {
    expect(accepted.filter((name) => name.endsWith('_fail')).toSorted()).toEqual(ACCEPTED_BY_THE_LIBRARY)
  })
})

test('every case that docs/conformance.md names against a weakness is made', () => {
  const made = vectors.map(({ name }) => name)
  const rows = rowsOf(readPage('conformance.md')).filter((cells) => cells.length === 2)
  const named = rows.flatMap(([, names = '']) => [...names.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name))
  expect(named.length).toBeGreaterThan(20)
  expect(named.filter((name) => !made.includes(name))).toEqual([])
})

async function cases(names: readonly string[]): Promise<readonly ConformanceCase[]> {
  const folder = await temporaryFolder()
  await writeVectors(
    folder,
    vectors.filter(({ name }) => names.includes(name)),
  )
  const read = readCases(folder)
  expect(read.problems).toEqual([])
  return read.cases
}

/** The cases that get another verdict than they should, by digest. */
async function disagreements(asked: readonly ConformanceCase[], weakness?: Weakness): Promise<readonly string[]> {
  const global = createContext({ TextEncoder, TextDecoder, atob, btoa })
  runInContext(await bundleForBrowser({ entry, name: 'built', plugins: weakness === undefined ? [] : [weaken(weakness)] }), global)
  const wrong: string[] = []
  for (const { name, expected, questions } of asked) {
    const question = questions.find(({ input }) => input === 'digest')?.question
    const verdict: Verdict = await runInContext(`(${answerWith.toString()})(built.verifyBundle, ${JSON.stringify(question)})`, global)
    if (verdict.kind !== expected) wrong.push(name)
  }
  return wrong
}

function weaken([file, from, to]: Weakness): Plugin {
  return {
    name: 'weaken',
    enforce: 'pre',
    transform(code, id) {
      if (!id.endsWith(`/src/trust/shims/${file}`)) return null
      if (!from.test(code)) throw new TypeError(`nothing like ${String(from)} in ${file}`)
      return code.replace(from, to)
    },
  }
}
