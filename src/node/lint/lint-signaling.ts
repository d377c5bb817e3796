import type { SiteConfig } from '../../core/manifest/site-config.ts'
import { finding, type Finding } from './finding.ts'
import { isLocal, isTrustedPlain, zoneOf } from './host.ts'

/** Whether browsers still find each other when one server, or the internet, is gone. */
export function lintSignaling({ mesh }: SiteConfig): readonly Finding[] {
  const { mode, signaling } = mesh
  if (mode === 'off')
    return [
      finding(
        'mesh-off',
        'Browsers do not share, so nothing is left when origins and gateways are gone: `sealift init --signaling` turns it on.',
      ),
    ]
  const [first, second] = signaling
  if (first === undefined)
    return [
      finding('no-signaling', 'Browsers may share and no signaling server is named, so they meet only when paired by hand: name two.'),
    ]
  const found: Finding[] = []
  if (second === undefined)
    found.push(
      finding(
        'single-signaling',
        `Browsers meet over ${first} alone: name a second server, best in the local network; pages use all at once.`,
      ),
    )
  else if (signaling.every((url) => zoneOf(url) === zoneOf(first)))
    found.push(
      finding(
        'signaling-single-zone',
        `All signaling servers are under ${zoneOf(first)}, by the last two labels of their names: add one under another.`,
      ),
    )
  if (!signaling.some(isLocal))
    found.push(
      finding(
        'no-local-signaling',
        'No signaling server is in the local network by its name or address, so browsers do not meet without the internet: add one (docs/operations.md). If one of these names leads to a local address, this is settled.',
      ),
    )
  return [...found, ...signaling.filter((url) => url.startsWith('ws:') && !isTrustedPlain(url)).map(plain), ...lintRelays(mesh)]
}

function plain(url: string): Finding {
  return finding('plain-ws', `${url} has no TLS, and browsers block it on an https page: serve it as wss.`)
}

/** A page uses no server that its own configuration does not name, whatever signaling hands out. */
function lintRelays({ mode, iceServers }: SiteConfig['mesh']): readonly Finding[] {
  if (mode !== 'relay') return []
  const [first, second] = iceServers.filter(({ urls }) => /^turns?:/i.test(urls))
  if (first === undefined)
    return [
      finding(
        'no-turn',
        'Browsers may connect through TURN alone and no TURN server is named, so they never do: name two, or set `mesh.mode` to "full".',
      ),
    ]
  return second === undefined
    ? [finding('single-turn', `Browsers connect through ${first.urls} alone: name a second TURN server, or set \`mesh.mode\` to "full".`)]
    : []
}
