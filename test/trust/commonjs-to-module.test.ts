import { describe, expect, test } from 'vitest'
import { toModule } from '../../scripts/commonjs-to-module.mjs'

const MARK = 'Object.defineProperty(exports, "__esModule", { value: true });'

describe('what TypeScript emits as CommonJS becomes', () => {
  test.each([
    ['nothing, of names that are listed in advance', 'exports.a = exports.b = void 0;', ''],
    ['nothing, of a helper', 'var __exportStar = (this && this.__exportStar) || function () {};', ''],
    ['an import', 'const a_1 = require("./a");', 'import * as a_1 from "./a";'],
    ['an import, of a default', 'const a_1 = __importDefault(require("a"));', 'import * as a_1 from "a";'],
    ['an import, of a namespace', 'const a = __importStar(require("a"));', 'import * as a from "a";'],
    ['an export of a namespace', 'exports.a = __importStar(require("./a"));', 'export * as a from "./a";'],
    ['an export of everything', '__exportStar(require("./a"), exports);', 'export * from "./a";'],
    ['an export of what is declared', 'exports.a = a;', 'export { a };'],
    ['an export of a value', 'exports.a = 1;', 'const export$a = 1; export { export$a as a };'],
  ])('%s', (_, emitted, written) => {
    expect(toModule(`${MARK}\n${emitted}`, 'a.js')).toBe(`\n${written}`)
  })

  test('an export of what another module exports', () => {
    const reexport = 'Object.defineProperty(exports, "a", { enumerable: true, get: function () { return b_1.c; } });'
    expect(toModule(`${MARK}\nvar b_1 = require("./b");\n${reexport}`, 'a.js')).toBe(
      '\nimport * as b_1 from "./b";\nexport { c as a } from "./b";',
    )
  })

  test('a value that goes by its own name further down', () => {
    const use = 'function f(a) { return exports.a + a; }'
    expect(toModule(`${MARK}\nexports.a = 1;\n${use}`, 'a.js').split('\n').at(-1)).toBe('function f(a) { return export$a + a; }')
  })

  test.each([
    ['may be left out, of constants', 'E[E["a"] = 0] = "a";', '/* @__PURE__ */ '],
    ['stays, of anything else', 'E[E["a"] = f()] = "a";', ''],
  ])('an enumeration that %s', (_, members, mark) => {
    const emitted = `var E;\n(function (E) {\n    ${members}\n})(E || (exports.E = E = {}));`
    expect(toModule(`${MARK}\n${emitted}`, 'a.js')).toBe(`\n\nexport var E = ${mark}(function (E) {\n    ${members}\nreturn E; })({});`)
  })
})

test('CommonJS that was written by hand stays as it is', () => {
  const code = 'module.exports = require("a");'
  expect(toModule(code, 'a.js')).toBe(code)
})

test.each([
  ['an export in a function', 'function f() { exports.a = 1; }'],
  ['an export by another name', 'exports["a"] = 1;'],
  ['a module that is asked for later', 'const f = () => require("./a");'],
  ['a module that is asked for its effects', 'require("./a");'],
  ['a module that replaces itself', 'module.exports = 1;'],
  ['an export asked for that is a declaration', 'exports.a = a;\nfunction a() { return exports.a; }'],
])('a form that is not known is an error that shows it: %s', (_, emitted) => {
  expect(() => toModule(`${MARK}\n${emitted}`, 'a.js')).toThrow(/^a\.js: unknown form of CommonJS: /)
})
