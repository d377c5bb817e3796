import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { findNginx, startNginxGateway } from '../../src/node/nginx-gateway.ts'
import { gatewayContract } from './contract.ts'

const isInstalled = findNginx() !== undefined
if (!isInstalled) console.warn('NOT RUN: the nginx gateway, because nginx is missing. Install it: apt-get install nginx-light')

gatewayContract('the nginx gateway', {
  isInstalled,
  async start(options) {
    const gateway = await startNginxGateway(options)
    if (gateway === undefined) throw new Error('nginx vanished between two looks')
    return gateway
  },
})

test.skipIf(!isInstalled)('the nginx gateway starts over the sockets of one that was killed', async () => {
  const dir = await temporaryFolder()
  const runDir = join(dir, 'run')
  await mkdir(runDir)
  const code = 'require("net").createServer().listen(process.argv[1], () => console.log("listening"))'
  const killed = spawn(process.execPath, ['-e', code, join(runDir, 'o0.sock')])
  await once(killed.stdout, 'data')
  killed.kill('SIGKILL')
  await once(killed, 'exit')
  const options = { origins: ['http://127.0.0.1:1/'], allowedOrigins: [], cacheDir: join(dir, 'cache'), pinnedRoot: dir, runDir }
  const gateway = await startNginxGateway(options)
  expect((await fetch(`${gateway?.url}/healthz`)).status).toBe(200)
  await gateway?.close()
})
