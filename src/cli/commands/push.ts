import type { Command } from 'commander'
import { openTargets } from '../../node/push/open-target.ts'
import { pushSite } from '../../node/push/push.ts'
import { EXIT_HELP } from '../exit-codes.ts'
import { addMirrorOptions, MIRROR_ADDRESSES, readMirrorOptions, targetSettings, type MirrorFlags } from '../mirror-options.ts'
import { concludeMirrors, progressOf } from '../mirror-words.ts'
import type { Terminal } from '../terminal.ts'
import { collect, parseInteger } from '../values.ts'

interface Flags extends MirrorFlags {
  readonly to: readonly string[]
  readonly quorum?: number
}

const EXAMPLES = `${MIRROR_ADDRESSES}

The folder is verified first. A mirror names the new catalogue once it has given back every file, and once --quorum of them can. An
interrupted push is run again: what is there and right is not sent twice.

Examples:
  sealift push ./site --to /srv/mirror --to ssh://deploy@eu.example/srv/sealift --public-key signing-key.pub
  sealift push ./site --to https://eu.example/ --to https://us.example/ --to s3://releases/acme --s3-endpoint https://s3.example/ \\
    --quorum 2 --config sealift.json
${EXIT_HELP}`

export function addPush(program: Command, terminal: Terminal): void {
  const command = program
    .command('push')
    .description('copy a published folder to its mirrors, and let them name the catalogue once enough of them hold all of it')
    .argument('<site>', 'folder of the published layout')
    .requiredOption('--to <mirror>', 'where to copy it; repeat for several', collect)
    .option('--quorum <count>', 'how many mirrors have to hold all of it before any names it; default: all', parseInteger)
  addMirrorOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (site: string, flags: Flags) => {
      const isJson = flags.json === true
      const targets = openTargets(flags.to, targetSettings(flags, terminal))
      const options = await readMirrorOptions(flags, site, terminal.signal)
      const onFile = progressOf(terminal)
      const result = await pushSite({ ...options, site, targets, quorum: flags.quorum, onFile }, terminal.signal).finally(() =>
        terminal.progress?.(''),
      )
      concludeMirrors(terminal, { isJson, result, again: 'sealift push' })
    })
}
