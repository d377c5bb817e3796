import { expect, test } from 'vitest'
import { renderGatewayConfig, type NginxOptions } from '../../src/node/gateway-config.ts'

const OPTIONS: NginxOptions = {
  origins: ['https://cdn.example.com/', 'https://mirror.example.net/files/', 'http://10.0.0.7:8081/'],
  allowedOrigins: ['https://downloads.example.com'],
  cacheDir: '/var/cache/sealift',
  pinnedRoot: '/srv/sealift',
  listen: '8080',
  runDir: '/run/sealift',
  errorLog: 'stderr',
  accessLog: '/var/log/sealift.json',
  resolver: ['10.0.0.53'],
}

test('names every origin, each with its own host, path and scheme', () => {
  const text = renderGatewayConfig(OPTIONS)
  expect(text).toContain('proxy_pass https://$origin/files$uri;')
  expect(text).toContain('set $origin "10.0.0.7:8081";')
  expect(text).toContain('proxy_next_upstream_tries 3;')
  expect(text.match(/max_fails=1/g)).toHaveLength(3)
  expect(text).not.toContain('{{')
})

test('asks for a DNS server as soon as one origin is a name', () => {
  expect(() => renderGatewayConfig({ ...OPTIONS, resolver: [] })).toThrow(/config-invalid.*resolver/)
  expect(renderGatewayConfig({ ...OPTIONS, resolver: [], origins: ['http://10.0.0.7/'] })).not.toContain('resolver_timeout')
})

test.each([
  ['no origin', { origins: [] }],
  ['an origin with a query', { origins: ['https://cdn.example.com/?a=1'] }],
  ['an origin with a password', { origins: ['https://a:b@cdn.example.com/'] }],
  ['an origin of another scheme', { origins: ['ftp://cdn.example.com/'] }],
  ['an origin whose path ends the directive', { origins: ['https://cdn.example.com/a;b/'] }],
  ['an origin whose path names a variable', { origins: ['https://cdn.example.com/$b/'] }],
  ['a portal with a path', { allowedOrigins: ['https://downloads.example.com/'] }],
  ['a portal that is any', { allowedOrigins: ['*'] }],
  ['a listen that is two words', { listen: '8080; include /etc/passwd' }],
  ['a folder with a quote', { cacheDir: '/var/"cache' }],
  ['a relative folder', { pinnedRoot: 'srv' }],
  ['a run folder too long for a socket', { runDir: `/${'a'.repeat(90)}` }],
  ['a catalogue kept for a day', { catalogueSeconds: 86_400 }],
  ['a resolver that is two words', { resolver: ['10.0.0.53; }'] }],
])('refuses %s', (_, change: Partial<NginxOptions>) => {
  expect(() => renderGatewayConfig({ ...OPTIONS, ...change })).toThrow(/config-invalid/)
})
