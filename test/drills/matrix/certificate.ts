import { execFile, spawnSync } from 'node:child_process'
import { X509Certificate, createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { promisify } from 'node:util'
import { LOOPBACK } from '../../../demo/stack/switchable-server.ts'
import { listenOnLoopback, type ListeningServer } from '../../faults/listen.ts'

/** A certificate that nobody vouches for, made for one run. */
export interface TestCertificate {
  /** PEM. */
  readonly certificate: string
  readonly key: string
  /** SHA-256 of its public key in base64: what Chromium is told to accept. Service workers count as secure then as well. */
  readonly pin: string
}

/** A front that speaks TLS and hands on what it hears. */
export type TlsFront = ListeningServer

export function hasOpenssl(): boolean {
  return spawnSync('openssl', ['version']).status === 0
}

export async function makeCertificate(hosts: readonly string[]): Promise<TestCertificate> {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-tls-'))
  try {
    const [keyFile, certificateFile] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
    const names = hosts.map((host) => `DNS:${host}`).join(',')
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile]
    const subject = ['-subj', `/CN=${hosts[0]}`, '-addext', `subjectAltName=${names}`, '-days', '2', '-out', certificateFile]
    await promisify(execFile)('openssl', ['req', '-x509', ...key, ...subject])
    const certificate = await readFile(certificateFile, 'utf8')
    const spki = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' })
    return { certificate, key: await readFile(keyFile, 'utf8'), pin: createHash('sha256').update(spki).digest('base64') }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** https on a port of its own, in front of an http server on loopback. */
export async function startTlsFront({ certificate, key }: TestCertificate, targetPort: number): Promise<TlsFront> {
  const sockets = new Set<Socket>()
  const server = createServer({ cert: certificate, key }, (client) => {
    const target = connect(targetPort, LOOPBACK)
    for (const [one, other] of [
      [client, target],
      [target, client],
    ] as const) {
      sockets.add(one)
      one.on('error', () => other.destroy()) // whichever end goes away takes the other with it
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  })
  return await listenOnLoopback(server, sockets)
}
