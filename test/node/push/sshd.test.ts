import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { openTargets } from '../../../src/node/push/open-target.ts'
import type { PushTarget } from '../../../src/node/push/push-target.ts'
import { pushSite } from '../../../src/node/push/push.ts'
import { bytesOf, catalogueOf, never } from '../publish-fixture.ts'
import { temporaryFolder } from '../temporary-folder.ts'
import { makeSite, pushOptions, readerIn, soundVersion } from './mirror-fixture.ts'
import { hasSshd, startSshd } from './sshd.ts'

const MIB = 1024 * 1024

if (!hasSshd()) console.warn('NOT RUN: pushing to an OpenSSH server, because it is missing. Install it: apt-get install openssh-server')

describe.skipIf(!hasSshd())('a mirror behind a real OpenSSH server', () => {
  test('takes a release from whoever has the key, once', async () => {
    const [site, root, sshd] = [await makeSite({ 'agent-1.0.tgz': bytesOf(3 * MIB) }), await temporaryFolder(), await startSshd()]
    const push = (sshProgram: string) =>
      pushSite({ ...pushOptions(site), site: site.site, targets: openTargets([`${sshd.url}${root}`], { env: {}, sshProgram }) }, never)
    expect(await push(sshd.strangerProgram)).toMatchObject({
      isComplete: false,
      mirrors: [{ trouble: { failure: { code: 'source-unreachable' }, words: expect.stringMatching(/Permission denied/) } }],
    })
    expect(await soundVersion(readerIn(root))).toBeUndefined()
    expect(await push(sshd.program)).toMatchObject({ isComplete: true, mirrors: [{ state: 'moved' }] })
    expect(await soundVersion(readerIn(root))).toBe((await catalogueOf(site.site)).version)
    // Over one connection for each run, however many files it is.
    expect(sshd.logins()).toBe(1)
    expect(await push(sshd.program)).toMatchObject({ mirrors: [{ state: 'current', copiedFiles: 0 }] })
    expect(sshd.logins()).toBe(2)
  })

  test('whose connection is cut in the middle of a file names what it named before, and is complete after the next push', async () => {
    const [site, root, sshd] = [await makeSite(), await temporaryFolder(), await startSshd()]
    const targets = () => openTargets([`${sshd.url}${root}`], { env: {}, sshProgram: sshd.program })
    const options = { ...pushOptions(site), site: site.site }
    await pushSite({ ...options, targets: targets() }, never)
    const before = await soundVersion(readerIn(root))
    await site.publishNext({ 'agent-1.1.tgz': bytesOf(8 * MIB) })
    const cut = await pushSite({ ...options, targets: targets().map((target) => cuttingIn(target, sshd.cut)), attempts: 1 }, never)
    expect(cut).toMatchObject({ isComplete: false, mirrors: [{ trouble: { failure: { code: 'source-unreachable' } } }] })
    expect(await soundVersion(readerIn(root))).toBe(before)
    await vi.waitFor(async () => expect(await partsIn(root)).toEqual([]), 5000)
    expect(await pushSite({ ...options, targets: targets() }, never)).toMatchObject({ isComplete: true })
    expect(await soundVersion(readerIn(root))).toBe((await catalogueOf(site.site)).version)
  })
})

/** Cuts the connections when half of a large file is written. */
function cuttingIn(target: PushTarget, cut: () => Promise<void>): PushTarget {
  return {
    ...target,
    write: (file, signal) =>
      target.write(
        {
          ...file,
          async *chunks(inner) {
            let sent = 0
            for await (const chunk of file.chunks(inner)) {
              sent += chunk.length
              if (file.sizeBytes > MIB && sent > file.sizeBytes / 2 && sent - chunk.length <= file.sizeBytes / 2) await cut()
              yield chunk
            }
          },
        },
        signal,
      ),
  }
}

async function partsIn(root: string): Promise<readonly string[]> {
  const folder = join(root, 'by-hash', 'sha256')
  return (await readdir(folder)).filter((name) => !/^[0-9a-f]{64}$/.test(name))
}
