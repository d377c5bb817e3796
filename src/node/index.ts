/** Publishing, verifying and setting up a site, from Node. */

export { DeliveryError, describeFailure, failureOf, type Failure } from '../core/errors.ts'
export type { Catalogue, CatalogueEntry, DeliveryHints, Origin } from '../core/manifest/catalogue.ts'
export { encodeSiteConfig } from '../core/manifest/encode-site-config.ts'
export type { SiteConfig } from '../core/manifest/site-config.ts'
export {
  DEFAULT_THRESHOLDS,
  requirePolicy,
  type SignaturePolicy,
  type SignatureVerdict,
  type Signer,
} from '../core/verify/identity-policy.ts'
export { createAuditTally, type AuditReport, type AuditTally } from './audit/audit-report.ts'
export { checkAuditFile, type AuditFile, type AuditFindings } from './audit/check-audit-file.ts'
export { openAuthority, type Authority } from './authority/authority.ts'
export { GITHUB_ISSUER, type Claims, type WorkflowRun } from './authority/workflow.ts'
export { startCachingGateway, type CachingGatewayOptions } from './caching-gateway.ts'
export { exportSite, type ExportedArtifact, type ExportOptions, type ExportReport } from './export/export-site.ts'
export type { GatewayEvent, GatewayLog } from './gateway-log.ts'
export { renderGatewayConfig, type GatewayOptions, type NginxOptions, type RunningGateway } from './gateway-config.ts'
export { initSite, type InitOptions, type InitReport } from './init.ts'
export type { Finding, FindingCode, Severity } from './lint/finding.ts'
export { lintSite, type LintOptions } from './lint/lint-site.ts'
export { openMembership, type Membership } from './membership.ts'
export { countGatewayLog } from './gateway-metrics.ts'
export { findNginx, startNginxGateway, type NginxGatewayOptions } from './nginx-gateway.ts'
export { createProbeMetrics, type ProbeMetrics } from './probe/metrics.ts'
export { createProbe, type Probe, type ProbeOptions, type ProbeTrust } from './probe/probe.ts'
export type { ProbeCheck, ProbedOrigin, ProbeRound, ProbeRow } from './probe/round.ts'
export { attachCatalogue, type AttachOptions } from './publish/attach-catalogue.ts'
export type { PublishedArtifact } from './publish/publish-artifact.ts'
export type { FileSettings } from './publish/publish-file.ts'
export { authoritySigner, keySigner, type AuthoritySignerOptions, type PublishSigner } from './publish/publish-signer.ts'
export { preparePublish, publish, type PreparedCatalogue, type PublishOptions, type PublishReport } from './publish/publish.ts'
export type { FinishedDraft } from './publish/finish-draft.ts'
export { preparePromotion, promote, type PromoteOptions, type Rollout } from './publish/promote.ts'
export type { FilledFile } from './push/fill-target.ts'
export { openTargets, type TargetSettings } from './push/open-target.ts'
export type { OutgoingFile, PushTarget } from './push/push-target.ts'
export { pushSite, type MirrorOptions, type MirrorReport, type PushOptions, type PushReport } from './push/push.ts'
export { syncMirrors, type SyncOptions } from './push/sync.ts'
export {
  generateSigningKey,
  parseSigningKey,
  readSigningKey,
  signWithKey,
  type SigningKey,
  type SigningKeyFiles,
} from './signing/signing-key.ts'
export { provenanceStatement, type BuildFacts, type Statement } from './signing/statement.ts'
export { listShell, SHELL_SCRIPTS, withShell, type ShellEntry } from './shell-list.ts'
export { readSite, type SiteReader } from './site/site-reader.ts'
export { systemClock } from './system-clock.ts'
export type { BundleVerdict, VouchedCatalogue } from '../core/verify/vouch.ts'
export type { FoundCatalogue } from './verify/find-catalogue.ts'
export { readConfig } from './verify/read-config.ts'
export { siteTrust, trustOfPolicy, type SiteTrust } from '../core/verify/site-trust.ts'
export { verifyFile, type ListedFile, type VerifyOptions, type VerifyReport } from './verify/verify-file.ts'
