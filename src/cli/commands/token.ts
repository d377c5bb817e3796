import type { Command } from 'commander'
import { openMembership } from '../../node/membership.ts'
import { systemClock } from '../../node/system-clock.ts'
import { report, type Terminal } from '../terminal.ts'
import { parseDuration } from '../values.ts'

interface Flags {
  readonly site: string
  readonly role: string
  readonly lifetime: number
  readonly json?: boolean
}

export function addToken(program: Command, terminal: Terminal): void {
  program
    .command('token')
    .description('mint a membership ticket, which lets a browser into the mesh while the portal is down')
    .argument('<dir>', 'folder of the ticket secrets; made when missing')
    .requiredOption('--site <origin>', 'the portal it is for, for example https://portal.example')
    .option('--role <role>', 'leech, or seed for one that may also pass artifacts on', 'seed')
    .option('--lifetime <duration>', 'at most 30d', parseDuration, 30 * 86_400)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExample:\n  sealift token ./secrets --site https://portal.example\n  sealift signaling --site https://portal.example --keys-file ./secrets/signaling-keys',
    )
    .action(async (dir: string, { site, role, lifetime, json }: Flags, command: Command) => {
      if (role !== 'seed' && role !== 'leech') command.error(`error: option '--role' must be seed or leech, got '${role}'`)
      if (!URL.canParse(site) || new URL(site).origin !== site) command.error(`error: option '--site' must be an origin, got '${site}'`)
      if (lifetime < 1 || lifetime > 30 * 86_400) command.error("error: option '--lifetime' must be 1 second to 30 days")
      const membership = await openMembership(dir, { clock: systemClock })
      const ticket = membership.mint({ site, role: role === 'leech' ? 'leech' : 'seed', lifetimeSeconds: lifetime })
      report(terminal, json === true, { lines: [ticket], json: { ticket, keysFile: membership.keysFile } })
    })
}
