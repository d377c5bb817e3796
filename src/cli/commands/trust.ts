import { readFile, writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { DeliveryError } from '../../core/errors.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import { describeSigner, type SignaturePolicy } from '../../core/verify/identity-policy.ts'
import { readInput } from '../../node/input-file.ts'
import { contentOfBytes } from '../../node/signing/content.ts'
import { readSigningKey } from '../../node/signing/signing-key.ts'
import { attachTrustUpdate, prepareTrustUpdate, type PreparedUpdate, type TrustPlace } from '../../node/trust-updates/next-update.ts'
import { readConfig } from '../../node/verify/read-config.ts'
import { siteTrust } from '../../core/verify/site-trust.ts'
import { EXIT_HELP } from '../exit-codes.ts'
import { report, type Terminal } from '../terminal.ts'
import { collect, collectDigest, parseInteger } from '../values.ts'

interface PlaceFlags {
  readonly config: string
  readonly out: string
  readonly json?: boolean
}

interface PrepareFlags extends PlaceFlags {
  readonly payload: string
  readonly deny?: readonly Sha256[]
  readonly resetFloor?: number
}

interface SignFlags {
  readonly key: string
  readonly bundle: string
  readonly json?: boolean
}

interface AttachFlags extends PlaceFlags {
  readonly bundle?: readonly string[]
}

const EXAMPLES = `
Example, with two of three people who may change trust, each on a machine of their own:
  sealift trust prepare trust.json --config sealift.json --out ./site --payload trust.payload
  sealift trust sign trust.payload --key alice.pem --bundle alice.bundle
  cosign sign-blob --key bob.key --bundle bob.bundle trust.payload
  sealift trust attach trust.payload --config sealift.json --out ./site --bundle alice.bundle --bundle bob.bundle

docs/trust-updates.md says what each step checks, and what to do when a signing key was stolen.
${EXIT_HELP}`

export function addTrust(program: Command, terminal: Terminal): void {
  const trust = program
    .command('trust')
    .description('change who may sign, by an update that those who may change trust sign together')
    .addHelpText('after', EXAMPLES)
  addPrepare(trust, terminal)
  addSign(trust, terminal)
  addAttach(trust, terminal)
}

function addPrepare(trust: Command, terminal: Terminal): void {
  trust
    .command('prepare')
    .description('write the payload of the next trust update, to be signed')
    .argument('<section>', 'JSON file with the trust section as it shall be, as in sealift.json')
    .requiredOption('--config <file-or-url>', 'sealift.json of the portal')
    .requiredOption('--out <site>', 'folder of the published layout, with the updates so far')
    .requiredOption('--payload <file>', 'where to write what has to be signed')
    .option('--deny <sha256>', 'withdraw by digest, offline copies too; repeat for several', collectDigest)
    .option('--reset-floor <version>', 'lowest catalogue version from now on, whatever a browser has seen', parseInteger)
    .option('--json', 'print one JSON object')
    .addHelpText('after', EXAMPLES)
    .action(async (sectionPath: string, flags: PrepareFlags) => {
      const next = { sectionPath, denied: flags.deny ?? [], resetFloor: flags.resetFloor }
      const prepared = await prepareTrustUpdate(await placeOf(flags, terminal.signal), next, terminal.signal)
      await writeFile(flags.payload, prepared.payload)
      report(terminal, flags.json === true, describe(prepared, flags.payload))
    })
}

function addSign(trust: Command, terminal: Terminal): void {
  trust
    .command('sign')
    .description('sign a payload with a key of this machine')
    .argument('<payload>', 'what `sealift trust prepare` wrote')
    .requiredOption('--key <file>', 'private key (see `sealift keygen`)')
    .requiredOption('--bundle <file>', 'where to write the Sigstore bundle')
    .option('--json', 'print one JSON object')
    .addHelpText('after', EXAMPLES)
    .action(async (path: string, flags: SignFlags) => {
      const payload = await readInput(path, (file) => readFile(file))
      const key = await readSigningKey(flags.key)
      await writeFile(flags.bundle, await key.signContent(contentOfBytes(payload), terminal.signal))
      report(terminal, flags.json === true, { lines: [`signed     ${flags.bundle}`], json: { bundle: flags.bundle } })
    })
}

function addAttach(trust: Command, terminal: Terminal): void {
  trust
    .command('attach')
    .description('check a signed update as every browser will, and add it to the site')
    .argument('<payload>', 'what `sealift trust prepare` wrote')
    .requiredOption('--config <file-or-url>', 'sealift.json of the portal')
    .requiredOption('--out <site>', 'folder of the published layout')
    .option('--bundle <file>', 'a Sigstore bundle over the payload; repeat for each signer', collect)
    .option('--json', 'print one JSON object')
    .addHelpText('after', EXAMPLES)
    .action(async (path: string, flags: AttachFlags) => {
      const payload = await readInput(path, (file) => readFile(file))
      const bundles = await Promise.all((flags.bundle ?? []).map((name) => readInput(name, (file) => readFile(file))))
      const { config } = await attachTrustUpdate(await placeOf(flags, terminal.signal), { payload, bundles }, terminal.signal)
      const file = `trust/${config.version}.json`
      const lines = [`added      ${flags.out}/${file}`, 'next: serve the folder, and publish the catalogue under the new trust']
      report(terminal, flags.json === true, { lines, json: { version: config.version, file } })
    })
}

async function placeOf(flags: PlaceFlags, signal: AbortSignal): Promise<TrustPlace> {
  return { config: await readConfig(flags.config, signal), site: flags.out }
}

function describe({ update, before }: PreparedUpdate, payload: string): { readonly lines: readonly string[]; readonly json: object } {
  const lines = [
    `prepared   ${payload}: trust update ${update.version} of ${update.repository}`,
    ...needed('have to sign it now', before.site.updates),
    ...needed('of those who change trust from then on', siteTrust(update.trust).updates),
  ]
  return { lines, json: { version: update.version, payload, denied: update.denied, resetFloor: update.resetFloor ?? null } }
}

function needed(what: string, policy: SignaturePolicy | undefined): readonly string[] {
  if (policy === undefined) throw new DeliveryError({ code: 'policy-missing', detail: 'nobody may change trust' })
  return [`${policy.minSigners} of ${policy.anyOf.length} ${what}:`, ...policy.anyOf.map((signer) => `  ${describeSigner(signer)}`)]
}
