import type { DeliveryError, Failure } from '../core/errors.ts'

/** Where the product's own words speak of pages and tabs. */
const ON_A_COMMAND_LINE: Partial<Readonly<Record<Failure['code'], string>>> = {
  'sources-exhausted': 'What arrived is kept: run the command again to go on, and name more places with --origin or --gateway.',
  'catalogue-unavailable': 'Check the network of this machine, or name another place that serves the site.',
  'catalogue-expired': 'Wait until the publisher is reachable again, or ask for the file by its digest: sha256:DIGEST.',
  'artifact-unknown': 'Check name, version and platform against what is published.',
  'artifact-ambiguous': 'Say which platform you want, with --platform.',
  'artifact-denied': 'This file was withdrawn. Ask for another version.',
  'config-unavailable': 'Check the place that is named, or give a sealift.json that is on this machine.',
  'config-invalid': 'Correct the sealift.json, or tell who runs the site.',
  'policy-missing': 'Say whose signature to trust: in the trust section of the sealift.json, or by an option of the command.',
  'store-failed': 'Look at what is named: the disk, or another process. Then run the command again.',
  'store-tampered': 'The disk gives back other bytes than were written to it. Use another one.',
  'format-unsupported': 'Update sealift: the publisher uses a newer format.',
}

/** What whoever typed the command can do. */
export function nextStepOf({ code, nextStep }: DeliveryError): string {
  return ON_A_COMMAND_LINE[code] ?? nextStep
}
