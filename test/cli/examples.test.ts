import { expect, test } from 'vitest'
import { expectOptions, linesOf } from '../docs/shell.ts'
import { runCli } from './run-cli.ts'

/** The names below a command, as its help lists them. */
async function commandsBelow(command: readonly string[]): Promise<readonly (readonly string[])[]> {
  const { out } = await runCli([...command, '--help'])
  const [, listed = ''] = /^Commands:\n([\s\S]*?)(?:\n\n|(?![\s\S]))/m.exec(out) ?? []
  const names = [...listed.matchAll(/^ {2}([a-z]+)/gm)].map(([, name = '']) => name).filter((name) => name !== 'help')
  const below = await Promise.all(names.map((name) => commandsBelow([...command, name])))
  return names.length === 0 ? [command] : below.flat()
}

const COMMANDS = await commandsBelow([])

/** Every line of a help that is a command of ours, with the lines that go on from it. */
function examplesIn(help: string): readonly string[] {
  const [, examples = ''] = /^Examples?[^\n]*:\n([\s\S]*?)(?:\nExit codes:|(?![\s\S]))/m.exec(help) ?? []
  return examples
    .replaceAll(/ \\\n\s*/g, ' ')
    .split('\n')
    .flatMap((line) => /^ {2}(sealift .*?)(?: {2,}.*| [>|].*)?$/.exec(line)?.[1] ?? [])
}

test('there are commands, those below others too', () => {
  expect(COMMANDS.length).toBeGreaterThan(20)
  expect(COMMANDS).toContainEqual(['gateway', 'config'])
})

test.each(COMMANDS.map((command) => [command.join(' '), command] as const))(
  'sealift %s shows an example, of options that it has',
  async (_, command) => {
    const { out } = await runCli([...command, '--help'])
    const examples = examplesIn(out)
    expect(
      examples.filter((line) => line.startsWith(`sealift ${command.join(' ')} `) || line === `sealift ${command.join(' ')}`),
    ).not.toEqual([])
    for (const line of linesOf(examples.join('\n'))) await expectOptions(line)
  },
)
