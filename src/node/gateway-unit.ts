import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NginxOptions } from './gateway-config.ts'
import { packageRoot } from './package-root.ts'

/** Where the shipped unit lets nginx write, and where it looks for its configuration. */
export const GATEWAY_PATHS = {
  config: '/etc/sealift/gateway.conf',
  runDir: '/run/sealift-gateway',
  cacheDir: '/var/cache/sealift-gateway',
  accessLog: '/var/log/sealift-gateway/access.log',
  pinnedRoot: '/srv/sealift',
} as const

/** The shipped systemd unit, for a gateway with other folders than the usual ones too. */
export function renderGatewayUnit({
  runDir,
  cacheDir,
  accessLog,
  nginx = '/usr/sbin/nginx',
}: Pick<NginxOptions, 'runDir' | 'cacheDir' | 'accessLog'> & { readonly nginx?: string | undefined }): string {
  const unit = readFileSync(join(packageRoot(), 'deploy', 'sealift-gateway.service'), 'utf8')
  const folders = [runDir, cacheDir, ...(accessLog === 'off' ? [] : [join(accessLog, '..')])]
  const usual: readonly string[] = [GATEWAY_PATHS.runDir, GATEWAY_PATHS.cacheDir, join(GATEWAY_PATHS.accessLog, '..')]
  const others = folders.filter((folder) => !usual.some((own) => folder === own || folder.startsWith(`${own}/`)))
  const strict = 'ProtectSystem=strict\n'
  return unit
    .replace('/usr/sbin/nginx', nginx)
    .replace(`-p ${GATEWAY_PATHS.runDir}`, `-p ${runDir}`)
    .replace(strict, others.length === 0 ? strict : `${strict}ReadWritePaths=${others.join(' ')}\n`)
}
