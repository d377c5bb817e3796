// Writes the reference of the public API, docs/api.md, from docstrings.

/**
 * Every `@example`, as a module that can be copied: what it uses of its own entry is imported.
 * @param {import('./public-api.d.mts').Entry} entry
 * @returns {readonly { readonly name: string, readonly text: string }[]}
 */
export function examplesOf({ entry, exports }) {
  return exports
    .flatMap((one) => [one, ...one.members])
    .flatMap(({ name, tags }) =>
      tags.filter((tag) => tag.name === 'example').map(({ text }) => ({ name, text: withImports({ entry, exports }, text) })),
    )
}

/**
 * @param {Pick<import('./public-api.d.mts').Entry, 'entry' | 'exports'>} entry
 * @param {string} text
 */
function withImports({ entry, exports }, text) {
  const used = exports.filter(({ name }) => new RegExp(`(?<![.'\\w-])${name}\\b(?!['-])`).test(text)).map(({ name }) => name)
  const line = used.length === 0 ? '' : `import { ${used.join(', ')} } from '${entry}'\n`
  return `${line}${line === '' || text.startsWith('import ') ? '' : '\n'}${text}`
}

/**
 * @param {readonly import('./public-api.d.mts').Entry[]} api
 * @returns {string}
 */
export function renderApi(api) {
  /** @type {Map<string, string>} */
  const told = new Map()
  return [
    '# API reference',
    'Made from the docstrings of the source by `npm run api`; a test says so when it is out of date. How the parts play together: [embedding.md](embedding.md) for pages, [publishing.md](publishing.md) for Node.',
    ...api.flatMap((entry) => renderEntry(entry, told)),
    '',
  ].join('\n\n')
}

/**
 * @param {import('./public-api.d.mts').Entry} entry
 * @param {Map<string, string>} told entry by declaration, so that what several entries export is told once
 */
function renderEntry(entry, told) {
  const examples = examplesOf(entry)
  const again = entry.exports.filter(({ declaration }) => told.has(declaration))
  const news = entry.exports.filter(({ declaration }) => !told.has(declaration))
  for (const { declaration } of news) told.set(declaration, entry.entry)
  return [
    `## ${entry.entry}`,
    ...(entry.about === '' ? [] : [sentence(entry.about)]),
    ...(again.length === 0
      ? []
      : [`Also exports ${again.map(({ name, declaration }) => `\`${name}\` (as \`${told.get(declaration)}\`)`).join(', ')}.`]),
    ...news.flatMap((one) => renderExport(one, examples)),
  ]
}

/**
 * @param {import('./public-api.d.mts').Export} one
 * @param {readonly { readonly name: string, readonly text: string }[]} examples
 */
function renderExport({ name, about, tags, declaration, members }, examples) {
  const facts = tags.filter((tag) => tag.name !== 'example').map((tag) => `- \`@${tag.name}\` ${flow(tag.text)}`)
  const shown = examples.filter((example) => example.name === name || members.some((member) => member.name === example.name))
  return [
    `### ${name}`,
    ...(about === '' ? [] : [flow(about)]),
    fenced(withoutExamples(declaration)),
    ...(facts.length === 0 ? [] : [facts.join('\n')]),
    ...shown.flatMap((example) => [example.name === name ? 'For example:' : `For example, \`${example.name}\`:`, fenced(example.text)]),
  ]
}

/** @param {string} text */
function sentence(text) {
  return flow(text).replace(/^\w/, (letter) => letter.toUpperCase())
}

/** @param {string} text */
function flow(text) {
  return text.trim().replaceAll(/\s*\n\s*/g, ' ')
}

/** @param {string} text */
function fenced(text) {
  return `\`\`\`ts\n${text}\n\`\`\``
}

/** They stand below. A comment that keeps one line is written as one. @param {string} declaration */
function withoutExamples(declaration) {
  return declaration
    .replaceAll(/\n *\* @example(?:(?!\n *\* @|\n *\*\/)[^])*/g, '')
    .replaceAll(/\/\*\*\n *\* ([^\n]*)\n *\*\//g, '/** $1 */')
}
