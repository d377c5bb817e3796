import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where commands keep what outlives them, as the system wants it: `$XDG_STATE_HOME`, `%LOCALAPPDATA%`, else below the home folder. */
export function stateFolder(env: Readonly<Record<string, string | undefined>>): string {
  const base = env['XDG_STATE_HOME'] || (process.platform === 'win32' ? env['LOCALAPPDATA'] : undefined)
  return join(base || join(env['HOME'] || homedir(), '.local', 'state'), 'sealift')
}
