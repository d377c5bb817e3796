import type { Command } from 'commander'
import { isWebUrl } from '../node/site/document.ts'

/** The origin in `--portal`; ends the command when that is none. */
export function readPortal(portal: string | undefined, command: Command): string | undefined {
  if (portal === undefined) return undefined
  if (!isWebUrl(portal) || !URL.canParse(portal))
    command.error(`error: option '--portal' must be a URL such as https://portal.example, got '${portal}'`)
  return new URL(portal).origin
}

/** The portal whose configuration this is, when it was read from there. */
export function portalOf(config: string | undefined): string | undefined {
  return config !== undefined && isWebUrl(config) ? new URL(config).origin : undefined
}
