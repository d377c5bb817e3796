// Reads what the package exports, with its docstrings, by TypeScript's own compiler. Its interface is still called unstable: it is used here alone.

import { fileURLToPath } from 'node:url'
import { isClassDeclaration, isFunctionDeclaration, isVariableDeclaration } from 'typescript/unstable/ast/is'
import { API, SymbolFlags } from 'typescript/unstable/sync'

const root = fileURLToPath(new URL('..', import.meta.url))
const ENTRIES = ['page', 'element', 'storage', 'worker', 'trust-refresh', 'node']

/**
 * @template T
 * @param {readonly string[]} configs paths of `tsconfig.json`
 * @param {(projects: readonly import('typescript/unstable/sync').Project[]) => T} use
 * @returns {T}
 */
export function withProjects(configs, use) {
  const api = new API({ cwd: root })
  try {
    const snapshot = api.updateSnapshot({ openProjects: [...configs] })
    return use(
      configs.map((config) => {
        const project = snapshot.getProject(config)
        if (project === undefined) throw new Error(`${config} could not be opened`)
        return project
      }),
    )
  } finally {
    api.close()
  }
}

/** @returns {readonly import('./public-api.d.mts').Entry[]} */
export function readPublicApi() {
  const configs = ENTRIES.map((name) => `${root}src/${name}/tsconfig.json`)
  return withProjects(configs, (projects) => projects.map((project, at) => readEntry(project, ENTRIES[at] ?? '')))
}

/**
 * @param {import('typescript/unstable/sync').Project} project
 * @param {string} name
 */
function readEntry(project, name) {
  const { checker, program } = project
  const file = program.getSourceFile(`${root}src/${name}/index.ts`)
  const module = file && checker.getSymbolAtLocation(file)
  if (file === undefined || module === undefined) throw new Error(`src/${name}/index.ts is no module`)
  const found = checker.getExportsOfModule(module).map((symbol) => readExport(project, symbol))
  return {
    entry: `sealift/${name}`,
    about: /^\/\*\* (?:`[^`]*`: )?(.*?) \*\//s.exec(file.text)?.[1] ?? '',
    exports: found.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  }
}

/**
 * @param {import('typescript/unstable/sync').Project} project
 * @param {import('typescript/unstable/sync').Symbol} symbol
 * @returns {import('./public-api.d.mts').Export}
 */
function readExport(project, symbol) {
  const { checker } = project
  const target = (symbol.flags & SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol)
  const node = (target.valueDeclaration ?? target.declarations[0])?.resolve(project)
  if (node === undefined) throw new Error(`${symbol.name} is declared nowhere`)
  const type = isVariableDeclaration(node) ? checker.getTypeOfSymbol(target) : undefined
  return {
    ...readWords(checker, target),
    name: symbol.name,
    isFunction: isFunctionDeclaration(node),
    declaration: type === undefined ? declarationOf(node) : `const ${symbol.name}: ${checker.typeToString(type)}`,
    members: [...target.getMembers().values()].map((member) => ({ name: `${symbol.name}.${member.name}`, ...readWords(checker, member) })),
  }
}

/**
 * @param {import('typescript/unstable/sync').Checker} checker
 * @param {import('typescript/unstable/sync').Symbol} symbol
 */
function readWords(checker, symbol) {
  const tags = symbol.getJsDocTags(checker).map(({ name, text }) => ({ name, text: text ?? '' }))
  return { about: symbol.getDocumentationComment(checker), tags }
}

/**
 * Without bodies, and without what a class keeps to itself.
 * @param {import('typescript/unstable/ast').Node} node
 * @returns {string}
 */
function declarationOf(node) {
  if (!isClassDeclaration(node)) return headOf(node)
  const [head = ''] = node.getText().split('{\n', 1)
  const members = node.members.filter((member) => !/^(?:static |readonly |async |get |set )*#/.test(member.getText()))
  return `${clean(head)} {\n${members.map((member) => `  ${commentOf(member)}${headOf(member)}`).join('\n')}\n}`
}

/** @param {import('typescript/unstable/ast').Node} node */
function headOf(node) {
  const text = node.getText()
  const body =
    'body' in node && typeof node.body === 'object' && node.body !== null && 'pos' in node.body ? Number(node.body.pos) : undefined
  return clean(body === undefined ? text : text.slice(0, body - node.getStart()))
}

/** @param {import('typescript/unstable/ast').Node} node */
function commentOf(node) {
  const comment = /\/\*\*.*?\*\//s.exec(node.getFullText().slice(0, node.getStart() - node.pos))?.[0]
  return comment === undefined ? '' : `${comment}\n  `
}

/** @param {string} text */
function clean(text) {
  return text.trim().replace(/^export (?:async )?/, '')
}
