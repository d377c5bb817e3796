import type { ArtifactFacts, AuditRecord, CatalogueFacts, SignatureVerdict } from 'sealift/page'
import { el } from './dom.ts'
import { capital, formatTime, listWords, plural, sourceKey, sourceName } from './words.ts'

const PROVENANCE = 'https://slsa.dev/provenance/'

/** The result of the verification, in words. */
export function verdictView(artifact: ArtifactFacts, record: AuditRecord, catalogue: CatalogueFacts): HTMLElement {
  const verdicts = record.verdicts.flatMap((one) => ('verdict' in one ? [one.verdict] : []))
  return el(
    'div',
    { class: 'verdict' },
    el('strong', {}, 'Verified. It is the very file that was signed.'),
    el(
      'ul',
      {},
      el(
        'li',
        {},
        `All ${plural(artifact.pieceCount, 'piece')} and the whole file match the signed digests: SHA-256 `,
        mono(artifact.sha256),
      ),
      ...verdicts.map((verdict) => el('li', {}, ...signedBy(verdict))),
      el('li', {}, catalogueWords(catalogue)),
      el('li', {}, `Delivered by ${deliveredBy(record)}.`),
    ),
  )
}

function signedBy(verdict: SignatureVerdict): readonly (Node | string)[] {
  const { signer, predicateType, sourceRepository, sourceRef } = verdict
  const at = verdict.signedAtSeconds === undefined ? '' : `, at ${formatTime(verdict.signedAtSeconds)}`
  const who =
    signer.kind === 'certificate' ? [mono(signer.identity), ' (vouched for by ', mono(signer.issuer), `)${at}.`] : [`a pinned key${at}.`]
  if (verdict.form === 'message') return ['Signed by ', ...who]
  const kind = predicateType?.startsWith(PROVENANCE) === true ? 'Build provenance (SLSA)' : 'Statement'
  const from = sourceRepository === undefined ? '' : `: built from ${sourceRepository}${sourceRef === undefined ? '' : ` at ${sourceRef}`}`
  return [`${kind}${from}, attested by `, ...who]
}

/** Which catalogue named the file, and how fresh it is. */
export function catalogueWords(catalogue: CatalogueFacts): string {
  const signed = `Listed in the catalogue of ${formatTime(catalogue.version)} (version ${catalogue.version}, ${comesFrom(catalogue.source)})`
  if (catalogue.isClockSuspect)
    return `${signed}, which is later than this machine's clock (${formatTime(catalogue.nowSeconds)}): the clock is wrong, so nobody can say how old it is.`
  switch (catalogue.freshness) {
    case 'fresh':
      return `${signed}, which is good until ${formatTime(catalogue.expiresAtSeconds)}.`
    case 'stale':
      return `${signed}. It is past its date (${formatTime(catalogue.expiresAtSeconds)}), accepted for the time of the outage.`
    case 'pinned':
      return `${signed}. It is past its date; the file was asked for by its digest.`
    case 'expired':
      return `${signed}. It is past its date: nothing is found by name until the publisher is reachable again.`
  }
}

function comesFrom(source: string): string {
  if (source === 'kept') return sourceName(source)
  return source.startsWith('peer') ? 'from a peer' : `from ${sourceName(source)}`
}

function deliveredBy(record: AuditRecord): string {
  const counts = new Map<string, number>()
  for (const { source, tier, pieces } of record.sources) {
    const key = sourceKey(source, tier)
    const count = pieces.reduce((sum, { start, end }) => sum + end - start, 0)
    counts.set(key, (counts.get(key) ?? 0) + count)
  }
  const parts = [...counts]
    .filter(([, count]) => count > 0)
    .map(([key, count]) => `${capital(sourceName(key))} (${plural(count, 'piece')})`)
  return parts.length === 0 ? 'what was kept from an earlier visit' : listWords(parts)
}

function mono(text: string): HTMLElement {
  return el('span', { class: 'mono' }, text)
}
