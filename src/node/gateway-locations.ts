import { invalid, path } from './gateway-words.ts'

// What a gateway serves beside artifacts, where it is asked to.

/** Only what asks for a WebSocket is passed on: the counts and the health of the server behind are for those inside. */
export function renderSignaling(address: string | undefined): string {
  if (address === undefined) return ''
  if (!/^(?:[\d.]+|\[[\da-f:]+\]):\d{1,5}$/i.test(address) || !URL.canParse(`http://${address}`))
    throw invalid('signaling', 'expected an address and a port, such as 127.0.0.1:8787')
  return [
    'location = /signaling {',
    '      if ($http_upgrade !~* ^websocket$) { return 426; }',
    '      # A socket takes two connections for as long as a page is open: one machine could leave none for downloads.',
    '      limit_conn sockets 64;',
    `      proxy_pass http://${address}/;`,
    '      proxy_set_header Upgrade websocket;',
    '      proxy_set_header Connection upgrade;',
    '      proxy_set_header Host $host;',
    '      # Set, not appended to: whatever a client claims here is thrown away.',
    '      proxy_set_header X-Forwarded-For $remote_addr;',
    '      # Longer than a client may miss pings, so that the server behind decides who is gone.',
    '      proxy_read_timeout 90s;',
    '      proxy_send_timeout 90s;',
    '      proxy_buffering off;',
    '    }',
  ].join('\n')
}

export function renderPublicFiles(publicRoot: string | undefined, isTls: boolean): string {
  if (publicRoot === undefined) return 'location / { return 404; }'
  // Whoever sits between would else decide which code runs.
  if (!isTls) throw invalid('publicRoot', 'needs tls: without https anybody on the way could change the page')
  return [
    'location / {',
    '      if ($request_method = OPTIONS) { return 204; }',
    '      set $csp "";',
    '      set $cache_control "no-cache";',
    `      root ${path('publicRoot', publicRoot)};`,
    '      types {',
    ...Object.entries(PUBLIC_TYPES).map(([type, endings]) => `        ${type} ${endings};`),
    '      }',
    '      try_files $uri ${uri}index.html =404;',
    '    }',
    '    # Of an editor, or of a repository.',
    '    location ~ /\\. { return 404; }',
  ].join('\n')
}

const PUBLIC_TYPES: Readonly<Record<string, string>> = {
  'text/html': 'html htm',
  'text/css': 'css',
  'text/javascript': 'js mjs',
  'text/plain': 'txt',
  'application/json': 'json map',
  'application/wasm': 'wasm',
  'application/manifest+json': 'webmanifest',
  'image/svg+xml': 'svg',
  'image/png': 'png',
  'image/jpeg': 'jpg jpeg',
  'image/webp': 'webp',
  'image/x-icon': 'ico',
  'font/woff2': 'woff2',
}
