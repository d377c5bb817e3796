import type { Command } from 'commander'
import { DeliveryError } from '../core/errors.ts'
import type { MirrorOptions } from '../node/push/push.ts'
import type { TargetSettings } from '../node/push/open-target.ts'
import type { SiteReader } from '../node/site/site-reader.ts'
import type { Terminal } from './terminal.ts'
import { addTrustOptions, readTrust, type TrustFlags } from './trust-options.ts'
import { parseDuration, parseInteger } from './values.ts'

/** What `push` and `sync` take alike. */
export interface MirrorFlags extends TrustFlags {
  readonly config?: string
  readonly stall?: number
  readonly attempts?: number
  readonly allowHttp?: boolean
  readonly s3Endpoint?: string
  readonly s3Region?: string
  readonly json?: boolean
}

export const MIRROR_ADDRESSES = `
Mirrors:
  ./folder, file:///folder            a folder of this machine, or a mounted one
  https://host/path/                  a server that takes PUT; its token in SEALIFT_PUSH_TOKEN, or, where several servers are named,
                                      in SEALIFT_PUSH_TOKEN_<HOST>, such as SEALIFT_PUSH_TOKEN_EU_MIRROR_EXAMPLE
  ssh://user@host/path                by the ssh of this machine, its keys and its ~/.ssh/config; no password is asked for
  s3://bucket/prefix                  with --s3-endpoint; AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION`

export function addMirrorOptions(command: Command): Command {
  return addTrustOptions(
    command
      .option('--config <file-or-url>', 'sealift.json of the portal: whom to trust')
      .option('--s3-endpoint <url>', 'server of the s3: buckets')
      .option('--s3-region <name>', 'region to sign for; default: AWS_REGION, else us-east-1')
      .option('--stall <duration>', 'how long a mirror may be silent; default 30s', parseDuration)
      .option('--attempts <count>', 'how often a step is tried; default 4', parseInteger)
      .option('--allow-http', 'plain http to other machines too, never with a token or to a bucket')
      .option('--json', 'print one JSON object'),
  )
}

/** @throws {DeliveryError} `policy-missing`, `input-invalid` */
export async function readMirrorOptions(
  flags: MirrorFlags,
  place: string | SiteReader,
  signal: AbortSignal,
): Promise<Omit<MirrorOptions, 'targets'>> {
  if (flags.attempts === 0) throw new DeliveryError({ code: 'input-invalid', path: '--attempts', detail: 'expected at least 1' })
  const trusted = await readTrust(flags, [place], signal)
  if (trusted === undefined) {
    const detail = 'give --config, --policy, --identity with --issuer and --trusted-root, or --public-key'
    throw new DeliveryError({ code: 'policy-missing', detail })
  }
  const { trust, config, denied, minimumVersion, updates } = trusted
  return {
    trust,
    denied,
    minimumVersion,
    updates,
    repository: config?.repository,
    maxGraceSeconds: config?.maxGraceSeconds,
    attempts: flags.attempts,
  }
}

export function targetSettings(flags: MirrorFlags, { env }: Terminal): TargetSettings {
  return {
    env,
    allowPlainHttp: flags.allowHttp,
    s3Endpoint: flags.s3Endpoint,
    s3Region: flags.s3Region,
    stallMs: flags.stall === undefined ? undefined : Math.max(flags.stall, 1) * 1000,
  }
}
