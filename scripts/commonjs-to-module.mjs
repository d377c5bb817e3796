// Writes what TypeScript emits as CommonJS as the ES module that it was: same statements, on the same lines. A CommonJS module is bundled
// whole and asked by property names, which no minifier may shorten; of an ES module falls away what nobody imports.

import { parseSync } from 'vite'

const MARK = /^Object\.defineProperty\(exports, "__esModule", \{ value: true \}\);$/
/** What imports and exports need no more: the mark, names that are listed in advance, TypeScript's helpers. */
const NEEDLESS = [MARK, /^(?:exports\.\w+ = )+void 0;$/, /^var __(?:createBinding|setModuleDefault|importStar|importDefault|exportStar) = /]
const IMPORT = /^(?:const|var) (\w+) = (?:__import(?:Star|Default)\()?require\(("[^"]+")\)\)?;$/
const REEXPORT = /^Object\.defineProperty\(exports, "(\w+)", \{ enumerable: true, get: function \(\) \{ return (\w+)\.(\w+); \} \}\);$/
const REEXPORT_AS = /^exports\.(\w+) = __importStar\(require\(("[^"]+")\)\);$/
const REEXPORT_ALL = /^__exportStar\(require\(("[^"]+")\), exports\);$/
/** Of what is declared under the same name. */
const EXPORT = /^exports\.(\w+) = \1;$/
const EXPORT_VALUE = /^exports\.(\w+) = (?!exports\b|__importStar\(|\1;)/
const ENUM_NAME = /^var (\w+);$/
const ENUM = /^\(function \((\w+)\) \{([\s\S]*)\}\)\(\1 \|\| \(exports\.\1 = \1 = \{\}\)\);$/
const COMMENTS = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm

/**
 * @param {string} code with TypeScript's mark of a module; other CommonJS is given back as it is
 * @param {string} file named in an error
 * @throws {TypeError} for a form that is not known here, so that what an upgrade brings is looked at
 */
export function toModule(code, file) {
  const statements = parseSync(file, code, { sourceType: 'script' }).program.body
  const texts = statements.map(({ start, end }) => code.slice(start, end))
  if (!texts.some((text) => MARK.test(text))) return code
  const names = namesIn(texts)
  let written = ''
  let at = 0
  for (const [i, { start, end }] of statements.entries()) {
    const text = translate(texts[i] ?? '', names)
    if (/\bexports\b|\brequire\(|\bmodule\./.test(text.replace(COMMENTS, '')))
      throw new TypeError(`${file}: unknown form of CommonJS: ${text}`)
    written += code.slice(at, start) + text
    at = end
  }
  return written + code.slice(at)
}

/** @param {readonly string[]} texts */
function namesIn(texts) {
  const found = (form) => texts.flatMap((text) => [form.exec(text) ?? []].filter(({ length }) => length > 0))
  return {
    sources: new Map(found(IMPORT).map(([, name, source]) => [name, source])),
    values: new Set(found(EXPORT_VALUE).map(([, name]) => name)),
    enums: new Set(found(ENUM).map(([, name]) => name)),
  }
}

function translate(text, { sources, values, enums }) {
  if (NEEDLESS.some((form) => form.test(text)) || enums.has(ENUM_NAME.exec(text)?.[1])) return blank(text)
  if (ENUM.test(text)) return text.replace(ENUM, enumeration)
  if (REEXPORT.test(text))
    return text.replace(REEXPORT, (_, name, from, original) => `export { ${original} as ${name} } from ${sources.get(from)};`)
  const inner = text
    .replace(IMPORT, 'import * as $1 from $2;')
    .replace(REEXPORT_AS, 'export * as $1 from $2;')
    .replace(REEXPORT_ALL, 'export * from $1;')
    .replace(EXPORT, 'export { $1 };')
  const value = EXPORT_VALUE.exec(inner)
  const declared = value === null ? inner : `const ${inner} export { ${own(value[1])} as ${value[1]} };`
  return declared.replace(/\bexports\.(\w+)/g, (whole, name) => (values.has(name) ? own(name) : whole))
}

/** A minifier leaves out what is called for nothing but its value, if it is told so; assignments of constants are nothing else. */
function enumeration(whole, name, members) {
  const plain = new RegExp(`^(?:\\s*${name}\\[${name}\\["\\w+"\\] = -?\\d+\\] = "\\w+";)*\\s*$`)
  const isPlain = plain.test(members.replace(COMMENTS, ''))
  return `export var ${name} = ${isPlain ? '/* @__PURE__ */ ' : ''}(function (${name}) {${members}return ${name}; })({});`
}

/** Apart from any name in the module: another of this name may be declared further in. */
function own(name) {
  return `export$${name}`
}

function blank(text) {
  return text.replace(/[^\n]/g, '')
}
