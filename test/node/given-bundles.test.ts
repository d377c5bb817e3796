import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readGivenBundles } from '../../src/node/publish/given-bundles.ts'
import { temporaryFolder } from './temporary-folder.ts'

const SIGNATURE = { messageSignature: {} }
const ATTESTATION = { dsseEnvelope: {} }

async function bundlesOf(name: string, text: string) {
  const path = join(await temporaryFolder(), name)
  await writeFile(path, text)
  return (await readGivenBundles([path])).map(({ bytes, kind }) => ({ kind, text: Buffer.from(bytes).toString() }))
}

test.each(['agent.sigstore.json', 'agent.sigstore.jsonl', 'bundle'])(
  'what lies in %s is told by its content, not by its name',
  async (name) => {
    const lines = [JSON.stringify(SIGNATURE), JSON.stringify(ATTESTATION)] as const
    expect(await bundlesOf(name, `${lines.join('\n\n')}\n`)).toEqual([
      { kind: 'signature', text: lines[0] },
      { kind: 'attestation', text: lines[1] },
    ])
    const laidOut = JSON.stringify(ATTESTATION, undefined, 2)
    expect(await bundlesOf(name, laidOut)).toEqual([{ kind: 'attestation', text: laidOut }])
  },
)

test.each(['agent.sigstore.json', 'agent.sigstore.jsonl'])('an empty %s is refused, and not taken for no bundle', async (name) => {
  await expect(bundlesOf(name, '\n')).rejects.toMatchObject({ failure: { code: 'input-invalid' } })
})
