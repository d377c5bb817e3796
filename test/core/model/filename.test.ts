import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isFilename } from '../../../src/core/model/filename.ts'

test.each([
  'edge-agent-1.4.2-linux-amd64.tar.gz',
  'a',
  'Setup (x64).exe',
  'läuft.bin',
  '安装程序.msi',
  'console.log',
  'com10.txt',
  'null.txt',
  'x.con',
  'a'.repeat(200),
])('%s is a file name', (name) => {
  expect(isFilename(name)).toBe(true)
})

test.each([
  ['nothing', ''],
  ['a path', 'a/b'],
  ['a Windows path', 'a\\b'],
  ['a drive', 'c:a'],
  ['the folder itself', '.'],
  ['the folder above', '..'],
  ['a hidden file', '.bashrc'],
  ['a dot at its end', 'agent.'],
  ['a blank at its end', 'agent '],
  ['a blank at its start', ' agent'],
  ['a line feed', 'a\nb'],
  ['a header of its own', 'a\r\nSet-Cookie: b'],
  ['a zero byte', 'a\0.exe'],
  ['a delete character', 'a\u007f'],
  ['a C1 control', 'a\u0085b'],
  ['a right-to-left override', 'agent\u202Efdp.exe'],
  ['a left-to-right embedding', 'agent\u202Aexe'],
  ['an isolate', 'agent\u2066exe'],
  ['a pop isolate', 'agent\u2069exe'],
  ['a zero-width space', 'age\u200Bnt'],
  ['a byte order mark', '\uFEFFagent'],
  ['a letter that is not shown', 'agent.exe\u3164'],
  ['a place for a format character that there is not yet', 'age\u2065nt'],
  ['a selector for what is not shown', 'agent\u{E0100}'],
  ['a line separator', 'a\u2028b'],
  ['half a character', 'a\uD800b'],
  ['a private character', 'a\uE000b'],
  ['a device', 'con'],
  ['a device in capitals', 'NUL'],
  ['a device with an extension', 'aux.tar.gz'],
  ['a serial port', 'com1.txt'],
  ['a serial port with a superscript', 'COM¹'],
  ['a device before a blank', 'prn .txt'],
  ['the console', 'CONIN$'],
  ['a quote', 'a"b'],
  ['a wildcard', 'a*b'],
  ['too many characters', 'a'.repeat(201)],
])('%s is no file name', (_what, name) => {
  expect(isFilename(name)).toBe(false)
})

test('no name that passes can leave its folder, end a header line or turn the text around', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (name) => {
      if (isFilename(name)) expect(name).not.toMatch(/[/\\\r\n\0"\u202A-\u202E\u2066-\u2069]|^\.|\.$/u)
    }),
    { numRuns: 5000 },
  )
})
