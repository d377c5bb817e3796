import { GITHUB_ISSUER } from '../../src/node/authority/workflow.ts'

export const CLAIMS = {
  identity: 'https://github.com/acme/agent/.github/workflows/release.yml@refs/tags/v1.2.3',
  issuer: GITHUB_ISSUER,
}
export const RUN = { commit: '0123456789'.repeat(4), invocationId: 'https://github.com/acme/agent/actions/runs/7/attempts/1' }
export const OTHER_CLAIMS = {
  identity: 'https://github.com/mallory/agent/.github/workflows/release.yml@refs/tags/v1.2.3',
  issuer: GITHUB_ISSUER,
}
