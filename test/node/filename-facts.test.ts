import { expect, test } from 'vitest'
import { factsOfFilename } from '../../src/node/publish/filename-facts.ts'

test.each([
  ['agent-1.2.3-linux-amd64.tar.gz', 'agent', '1.2.3', 'linux/amd64', 'application/gzip'],
  ['edge_agent_v2.0.0_darwin_arm64.zip', 'edge-agent', '2.0.0', 'darwin/arm64', 'application/zip'],
  ['agent-windows-x86_64-1.2.3.exe', 'agent', '1.2.3', 'windows/amd64', 'application/vnd.microsoft.portable-executable'],
  ['agent-1.2.3-rc.1-linux-amd64.deb', 'agent', '1.2.3-rc.1', 'linux/amd64', 'application/vnd.debian.binary-package'],
  ['sealift-0.1.0.tgz', 'sealift', '0.1.0', undefined, 'application/gzip'],
  ['Roots-20261121.pem', 'roots', '20261121', undefined, 'application/x-pem-file'],
  ['agent-linux.tar.gz', 'agent', undefined, undefined, 'application/gzip'],
  ['tool', 'tool', undefined, undefined, 'application/octet-stream'],
  ['1.2.3.zip', undefined, '1.2.3', undefined, 'application/zip'],
])('%s says what it says and no more', (filename, ...facts) => {
  const { name, version, platform, mediaType } = factsOfFilename(filename)
  expect([name, version, platform, mediaType]).toEqual(facts)
})
