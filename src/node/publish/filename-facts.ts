/** What a release's file name usually says: `agent-1.2.3-linux-amd64.tar.gz`. Anything unsaid is undefined. */
export interface FilenameFacts {
  readonly name: string | undefined
  readonly version: string | undefined
  /** `os/arch`, only when both are named. */
  readonly platform: string | undefined
  readonly mediaType: string
}

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.tar.gz': 'application/gzip',
  '.tgz': 'application/gzip',
  '.gz': 'application/gzip',
  '.tar.xz': 'application/x-xz',
  '.xz': 'application/x-xz',
  '.tar.zst': 'application/zstd',
  '.zst': 'application/zstd',
  '.tar': 'application/x-tar',
  '.zip': 'application/zip',
  '.deb': 'application/vnd.debian.binary-package',
  '.rpm': 'application/x-rpm',
  '.msi': 'application/x-msi',
  '.exe': 'application/vnd.microsoft.portable-executable',
  '.dmg': 'application/x-apple-diskimage',
  '.pkg': 'application/octet-stream',
  '.appimage': 'application/octet-stream',
  '.bin': 'application/octet-stream',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
  '.pem': 'application/x-pem-file',
  '.txt': 'text/plain',
  '.sh': 'text/x-shellscript',
}
const EXTENSIONS = Object.keys(MEDIA_TYPES)

const OS: Readonly<Record<string, string>> = {
  linux: 'linux',
  darwin: 'darwin',
  macos: 'darwin',
  windows: 'windows',
  win: 'windows',
  win32: 'windows',
  win64: 'windows',
  freebsd: 'freebsd',
  android: 'android',
}
const ARCH: Readonly<Record<string, string>> = {
  amd64: 'amd64',
  x64: 'amd64',
  arm64: 'arm64',
  aarch64: 'arm64',
  armv7: 'arm/v7',
  armhf: 'arm/v7',
  '386': '386',
  i386: '386',
  x86: '386',
  riscv64: 'riscv64',
  ppc64le: 'ppc64le',
  s390x: 's390x',
}
const VERSION = /^v?(\d+(?:\.\d+)+.*|\d{6,})$/

/** Reads the facts; guesses nothing that is not there. */
export function factsOfFilename(filename: string): FilenameFacts {
  const lower = filename.toLowerCase()
  const extension = EXTENSIONS.find((candidate) => lower.endsWith(candidate)) ?? ''
  const stem = filename.slice(0, filename.length - extension.length).replace(/x86[_-]64/i, 'amd64')
  const words = stem.split(/[-_]/).filter((word) => word !== '')
  const known = words.map((word) => ({
    word,
    os: OS[word.toLowerCase()],
    arch: ARCH[word.toLowerCase()],
  }))
  const versionAt = known.findIndex(({ word, arch }) => VERSION.test(word) && arch === undefined)
  const plain = known.map(({ word, os, arch }, i) => ({
    word,
    i,
    isPlain: os === undefined && arch === undefined,
  }))
  const before = plain.filter(({ i, isPlain }) => isPlain && (versionAt === -1 || i < versionAt)).map(({ word }) => word)
  const after = plain.filter(({ i, isPlain }) => isPlain && versionAt !== -1 && i > versionAt).map(({ word }) => word)
  const os = known.find((item) => item.os !== undefined)?.os
  const arch = known.find((item) => item.arch !== undefined)?.arch
  const number = VERSION.exec(words[versionAt] ?? '')?.[1]
  return {
    name: before.length === 0 ? undefined : before.join('-').toLowerCase(),
    version: number === undefined ? undefined : [number, ...after].join('-'),
    platform: os === undefined || arch === undefined ? undefined : `${os}/${arch}`,
    mediaType: MEDIA_TYPES[extension] ?? 'application/octet-stream',
  }
}
