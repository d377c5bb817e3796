/** A question as it crosses into a browser: text only, binary data in base64. */
export interface DrivenQuestion {
  readonly bundle: string
  readonly trustedRoot?: string
  readonly artifact?: string
  readonly digest?: string
  readonly policy: { readonly identity?: string; readonly issuer?: string; readonly publicKey?: string }
}

export type Verdict =
  | { readonly kind: 'accept' }
  | { readonly kind: 'reject'; readonly code: string; readonly detail: string }
  /** Whatever is no verdict. It agrees with nothing: a crash is not a refusal. */
  | { readonly kind: 'error'; readonly detail: string }

/**
 * Asks a `verifyBundle` and tells a refusal from a fault. Sent to browsers as text, so it uses nothing of this module.
 * @param verify whatever is found under that name; it is checked
 */
export async function answerWith(verify: unknown, question: DrivenQuestion): Promise<Verdict> {
  const bytesOf = (base64: string): Uint8Array => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
  if (typeof verify !== 'function') return { kind: 'error', detail: 'there is no verifyBundle' }
  try {
    const { bundle, artifact, ...rest } = question
    const facts: unknown = await verify({
      ...rest,
      bundle: bytesOf(bundle),
      ...(artifact !== undefined && { artifact: bytesOf(artifact) }),
    })
    const isVerified = typeof facts === 'object' && facts !== null && 'verified' in facts && facts.verified === true
    return isVerified ? { kind: 'accept' } : { kind: 'error', detail: `resolved with ${String(JSON.stringify(facts))}` }
  } catch (error) {
    const isTyped = error instanceof Error && error.name === 'DeliveryError' && 'code' in error && typeof error.code === 'string'
    if (isTyped) return { kind: 'reject', code: String(error.code), detail: error.message }
    return { kind: 'error', detail: error instanceof Error ? `${error.name}: ${error.message}` : String(error) }
  }
}
