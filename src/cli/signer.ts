import { DeliveryError } from '../core/errors.ts'
import { openAuthority } from '../node/authority/authority.ts'
import { LOCAL_AUTHORITY, LOCAL_BUILD } from '../node/authority/workflow.ts'
import { authoritySigner, keySigner, type PublishSigner } from '../node/publish/publish-signer.ts'
import { readSigningKey } from '../node/signing/signing-key.ts'
import { systemClock } from '../node/system-clock.ts'

/** With what to sign, as given on a command line. */
export interface SignerFlags {
  readonly key?: string
  readonly authority?: string
  readonly identity?: string
  readonly issuer?: string
}

/** Undefined when it is signed elsewhere. @throws {DeliveryError} `input-invalid` */
export async function readSigner({ key, authority, identity, issuer }: SignerFlags): Promise<PublishSigner | undefined> {
  if (key !== undefined && authority !== undefined)
    throw new DeliveryError({ code: 'input-invalid', path: '--key', detail: 'cannot be used together with --authority' })
  if (key !== undefined) return keySigner(await readSigningKey(key))
  if (authority === undefined) return undefined
  const claims = { identity: identity ?? LOCAL_BUILD, issuer: issuer ?? LOCAL_AUTHORITY }
  return authoritySigner(await openAuthority(authority, { clock: systemClock }), { claims, clock: systemClock })
}
