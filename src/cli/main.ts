import { setMaxListeners } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { packageRoot } from '../node/package-root.ts'
import { addAudit } from './commands/audit.ts'
import { addDrill } from './commands/drill.ts'
import { addExport } from './commands/export.ts'
import { addGateway } from './commands/gateway.ts'
import { addGet } from './commands/get.ts'
import { addInit } from './commands/init.ts'
import { addKeygen } from './commands/keygen.ts'
import { addLint } from './commands/lint.ts'
import { addPolicy } from './commands/policy.ts'
import { addPromote } from './commands/promote.ts'
import { addCheck, addProbe } from './commands/probe.ts'
import { addPublish } from './commands/publish.ts'
import { addPush } from './commands/push.ts'
import { addReport } from './commands/report.ts'
import { addSeed } from './commands/seed.ts'
import { addSignaling } from './commands/signaling.ts'
import { addSync } from './commands/sync.ts'
import { addToken } from './commands/token.ts'
import { addTrust } from './commands/trust.ts'
import { addVerify } from './commands/verify.ts'
import { EXIT, EXIT_HELP } from './exit-codes.ts'
import { Concluded, reportError, type Terminal } from './terminal.ts'

/**
 * Runs one command.
 * @param args without the names of node and of the script
 * @returns the exit code; nothing is thrown
 */
export async function main(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    await createProgram(terminal).parseAsync(args, { from: 'user' })
    return EXIT.ok
  } catch (error) {
    if (error instanceof Concluded) return error.exitCode
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    if (terminal.signal.aborted && error === terminal.signal.reason) {
      terminal.err('sealift: interrupted\n')
      return EXIT.interrupted
    }
    return reportError(terminal, args.includes('--json'), error)
  }
}

/** `main` for the process itself: SIGINT and SIGTERM cancel the command, which then cleans up after itself. */
export async function runProcess(): Promise<void> {
  // One signal ends dozens of requests at once, and each of them listens to it: nothing leaks.
  setMaxListeners(0)
  const stop = new AbortController()
  const onSignal = () => stop.abort(new Error('interrupted'))
  process.once('SIGINT', onSignal)
  process.once('SIGTERM', onSignal)
  // Whoever read has heard enough (`sealift probe | head`): as if interrupted, and nobody is left to be told.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', onSignal)
  process.exitCode = await main(process.argv.slice(2), {
    // Not before somebody reads: opening it keeps the process alive.
    get in() {
      return process.stdin
    },
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    ...(process.stderr.isTTY ? { progress: (text: string) => void process.stderr.write(`\r\u001B[K${text}`) } : {}),
    env: process.env,
    signal: stop.signal,
  })
  process.off('SIGINT', onSignal)
  process.off('SIGTERM', onSignal)
  // What was written to a pipe still has to leave it. Then the process ends, whatever else is open: a request to a server that is silent, say.
  await Promise.all([process.stdout, process.stderr].map(drained))
  process.exit()
}

function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    // Nobody reads any more.
    stream.once('error', () => resolve())
    stream.write('', () => resolve())
  })
}

function createProgram(terminal: Terminal): Command {
  const program = new Command('sealift')
    .description('Keeps software downloads working, and trustworthy, while the CDN is down.')
    .version(packageVersion())
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.err(text) })
    .showHelpAfterError('Run it with --help for its options and examples.')
    .addHelpText('after', `${EXIT_HELP}\n\nSEALIFT_DEBUG=1 in the environment prints where a fault came from.`)
  addInit(program, terminal)
  addPublish(program, terminal)
  addPromote(program, terminal)
  addPush(program, terminal)
  addSync(program, terminal)
  addVerify(program, terminal)
  addGet(program, terminal)
  addExport(program, terminal)
  addLint(program, terminal)
  addPolicy(program, terminal)
  addGateway(program, terminal)
  addCheck(program, terminal)
  addProbe(program, terminal)
  addAudit(program, terminal)
  addReport(program, terminal)
  addKeygen(program, terminal)
  addTrust(program, terminal)
  addToken(program, terminal)
  addSignaling(program, terminal)
  addSeed(program, terminal)
  addDrill(program, terminal)
  return program
}

function packageVersion(): string {
  const description: unknown = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'))
  return description instanceof Object && 'version' in description ? String(description.version) : 'unknown'
}
