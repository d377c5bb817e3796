import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { bytesOf, catalogueOf } from '../node/publish-fixture.ts'
import { makeSsh, readerIn, soundVersion } from '../node/push/mirror-fixture.ts'
import { published } from './published.ts'
import { runCli } from './run-cli.ts'

vi.setConfig({ testTimeout: 60_000 })

// The command as it is installed: it runs what the build made.
const SCRIPT = join(import.meta.dirname, '../../bin/sealift.js')

test.each(['artifact', 'catalogue'] as const)(
  'killed while the %s is on its way, the mirror names what it has, and the next run goes on',
  async (what) => {
    const { at, site, trust, publish } = await published()
    const push = (to: string) => ['push', site, '--to', to, ...trust]
    expect((await runCli(push(at('mirror')))).exitCode).toBe(0)
    const before = (await catalogueOf(site)).version
    // More than a pipe holds, so that it cannot be there when the process dies.
    await writeFile(at('dist/tool-1.0.tgz'), bytesOf(1 << 20))
    await publish()
    const { version: after, artifacts } = await catalogueOf(site)
    const file = what === 'artifact' ? artifacts.find(({ name }) => name === 'tool')?.artifact.sha256 : 'catalogue.json'
    const ssh = await makeSsh(`case "$*" in *"cat > "*"${file}"*) kill -9 $PPID ;; esac`)
    const child = spawn(process.execPath, [SCRIPT, ...push(`ssh://mirror.example${at('mirror')}`)], {
      env: { ...process.env, PATH: `${dirname(ssh.program)}${delimiter}${process.env['PATH']}` },
      stdio: 'ignore',
    })
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL'])
    await ssh.settled()
    const found = await soundVersion(readerIn(at('mirror')))
    expect(what === 'artifact' ? [before] : [before, after]).toContain(found)
    expect((await runCli(push(at('mirror')))).exitCode).toBe(0)
    expect(await soundVersion(readerIn(at('mirror')))).toBe(after)
  },
)
