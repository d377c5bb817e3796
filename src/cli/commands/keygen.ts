import type { Command } from 'commander'
import { generateSigningKey } from '../../node/signing/signing-key.ts'
import { report, type Terminal } from '../terminal.ts'

export function addKeygen(program: Command, terminal: Terminal): void {
  program
    .command('keygen')
    .description('make a key pair to sign with where there is no CI identity')
    .argument('<dir>', 'folder for signing-key.pem (keep it secret) and signing-key.pub')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExample:\n  sealift keygen ~/.sealift\n  sealift publish ./dist --out ./site --repository acme --key ~/.sealift/signing-key.pem',
    )
    .action(async (dir: string, flags: { readonly json?: boolean }) => {
      const { privateKeyPath, publicKeyPath } = await generateSigningKey(dir)
      const lines = [`private key  ${privateKeyPath}`, `public key   ${publicKeyPath}`]
      report(terminal, flags.json === true, { lines, json: { privateKeyPath, publicKeyPath } })
    })
}
