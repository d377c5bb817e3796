import type { Command } from 'commander'
import { DeliveryError } from '../../core/errors.ts'
import { openTargets, requireOwnTokens } from '../../node/push/open-target.ts'
import { readMirror, syncMirrors } from '../../node/push/sync.ts'
import { EXIT_HELP } from '../exit-codes.ts'
import { addMirrorOptions, MIRROR_ADDRESSES, readMirrorOptions, targetSettings, type MirrorFlags } from '../mirror-options.ts'
import { concludeMirrors, progressOf } from '../mirror-words.ts'
import type { Terminal } from '../terminal.ts'

interface Flags extends MirrorFlags {
  readonly deep?: boolean
}

const EXAMPLES = `${MIRROR_ADDRESSES}

What FROM names is verified first. Every file that a mirror lacks, or has in another size, is sent and read back; with --deep also what has
the right size and the wrong bytes. Nothing is removed, and no catalogue is replaced by an older one.

Examples:
  sealift sync https://eu.example/ /srv/mirror --config https://portal.example/sealift.json
  sealift sync ./site ssh://deploy@us.example/srv/sealift --public-key signing-key.pub --deep
${EXIT_HELP}`

export function addSync(program: Command, terminal: Terminal): void {
  const command = program
    .command('sync')
    .description('fill what mirrors lack from one that is whole')
    .argument('<from>', 'a published folder, or a mirror that is whole')
    .argument('<mirror...>', 'mirrors to fill')
    .option('--deep', 'hash every file that a mirror has already, instead of comparing sizes')
  addMirrorOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (place: string, mirrors: readonly string[], flags: Flags) => {
      const isJson = flags.json === true
      const settings = targetSettings(flags, terminal)
      // The token that names no server is for what is written to.
      const { SEALIFT_PUSH_TOKEN: _, ...env } = settings.env
      requireOwnTokens([place, ...mirrors], settings)
      const [from] = openTargets([place], { ...settings, env })
      const targets = openTargets(mirrors, settings)
      if (from === undefined) throw new DeliveryError({ code: 'input-invalid', path: 'from', detail: 'is needed' })
      const options = await readMirrorOptions(flags, readMirror(from), terminal.signal)
      const onFile = progressOf(terminal)
      const result = await syncMirrors({ ...options, from, targets, deep: flags.deep, onFile }, terminal.signal).finally(() =>
        terminal.progress?.(''),
      )
      concludeMirrors(terminal, { isJson, result, again: 'sealift sync' })
    })
}
