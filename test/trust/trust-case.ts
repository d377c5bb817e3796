import type { Failure } from '../../src/core/errors.ts'
import type { Signer, Thresholds } from '../../src/core/verify/identity-policy.ts'
import type { BundleJson } from './offline-sigstore.ts'

/** Cases that show one attack together. */
export type TrustAttack = 'look-alike' | 'other-subject' | 'other-root'

/** A bundle and a policy, and the verdict that it must get. Plain data. */
export interface TrustCase {
  readonly name: string
  readonly attack?: TrustAttack
  readonly file: string
  readonly subject: string
  readonly signers: readonly Signer[]
  readonly trustedRoot: unknown
  readonly thresholds: Thresholds
  readonly expected: 'accepted' | Failure['code']
}

export const ARTIFACT = Buffer.from('an artifact')

type Defaults = 'subject' | 'signers' | 'thresholds' | 'trustedRoot'
/** A case without what most cases share. */
export type Row = Omit<TrustCase, Defaults | 'file'> & Partial<Pick<TrustCase, Defaults>> & { readonly bundle: BundleJson | string }
