/** The part of JSON Schema, draft 7, that our schemas use. A keyword that is not here is an error, for it would check nothing. */

/** @param schema that the argument stands in */
type Rule = (argument: unknown, value: unknown, context: Context, schema: Readonly<Record<string, unknown>>) => readonly string[]

interface Context {
  readonly root: Readonly<Record<string, unknown>>
  readonly path: string
}

/** What is wrong with a value, in words; nothing when it is valid. */
export function complaintsOf(schema: unknown, value: unknown): readonly string[] {
  return check(schema, value, { root: record(schema), path: '$' })
}

function check(schema: unknown, value: unknown, context: Context): readonly string[] {
  if (schema === true) return []
  if (schema === false) return [`${context.path} may not be there`]
  return Object.entries(record(schema)).flatMap(([keyword, argument]) => {
    const rule = RULES[keyword]
    if (rule === undefined) throw new RangeError(`the keyword ${keyword} is not known here`)
    return rule(argument, value, context, record(schema))
  })
}

const nothing: Rule = () => []

const RULES: Readonly<Record<string, Rule>> = {
  $schema: nothing,
  $id: nothing,
  title: nothing,
  description: nothing,
  default: nothing,
  definitions: nothing,
  $ref: (pointer, value, context) => check(follow(context.root, String(pointer)), value, context),
  type: (type, value, { path }) => (isOfType(value, String(type)) ? [] : [`${path} is no ${String(type)}`]),
  const: (wanted, value, { path }) => (value === wanted ? [] : [`${path} is not ${String(wanted)}`]),
  enum: (allowed, value, { path }) => (list(allowed).includes(value) ? [] : [`${path} is none of ${list(allowed).join(', ')}`]),
  minimum: (least, value, { path }) => (typeof value !== 'number' || value >= Number(least) ? [] : [`${path} is below ${String(least)}`]),
  maximum: (most, value, { path }) => (typeof value !== 'number' || value <= Number(most) ? [] : [`${path} is above ${String(most)}`]),
  maxLength: (most, value, { path }) => (typeof value !== 'string' || value.length <= Number(most) ? [] : [`${path} is too long`]),
  pattern: (source, value, { path }) =>
    typeof value !== 'string' || new RegExp(String(source), 'u').test(value) ? [] : [`${path} does not match ${String(source)}`],
  minItems: (least, value, { path }) => (!Array.isArray(value) || value.length >= Number(least) ? [] : [`${path} has too few items`]),
  maxItems: (most, value, { path }) => (!Array.isArray(value) || value.length <= Number(most) ? [] : [`${path} has too many items`]),
  uniqueItems: (isOn, value, { path }) =>
    isOn !== true || !Array.isArray(value) || new Set(value).size === value.length ? [] : [`${path} has an item twice`],
  items: (schema, value, context) =>
    Array.isArray(value) ? value.flatMap((item, at) => check(schema, item, { ...context, path: `${context.path}[${at}]` })) : [],
  required: (names, value, { path }) =>
    isOfType(value, 'object')
      ? list(names).flatMap((name) => (Object.hasOwn(record(value), String(name)) ? [] : [`${path} lacks ${String(name)}`]))
      : [],
  properties: (schemas, value, context) =>
    isOfType(value, 'object')
      ? Object.entries(record(schemas)).flatMap(([name, schema]) =>
          Object.hasOwn(record(value), name) ? check(schema, record(value)[name], { ...context, path: `${context.path}.${name}` }) : [],
        )
      : [],
  additionalProperties: (others, value, context, { properties = {} }) =>
    isOfType(value, 'object')
      ? Object.entries(record(value)).flatMap(([name, member]) =>
          Object.hasOwn(record(properties), name) ? [] : check(others, member, { ...context, path: `${context.path}.${name}` }),
        )
      : [],
  dependencies: (needs, value, { path }) =>
    isOfType(value, 'object')
      ? Object.entries(record(needs)).flatMap(([name, others]) =>
          Object.hasOwn(record(value), name)
            ? list(others).flatMap((other) =>
                Object.hasOwn(record(value), String(other)) ? [] : [`${path} has ${name} and lacks ${String(other)}`],
              )
            : [],
        )
      : [],
  allOf: (schemas, value, context) => list(schemas).flatMap((schema) => check(schema, value, context)),
  anyOf: (schemas, value, context) => {
    const each = list(schemas).map((schema) => check(schema, value, context))
    return each.some((complaints) => complaints.length === 0) ? [] : [`${context.path} fits none: ${each.flat().join('; ')}`]
  },
}

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    case 'array':
      return Array.isArray(value)
    case 'integer':
      return Number.isInteger(value)
    case 'string':
    case 'boolean':
      return typeof value === type
    default:
      throw new RangeError(`the type ${type} is not known here`)
  }
}

function follow(root: Readonly<Record<string, unknown>>, pointer: string): unknown {
  const name = /^#\/definitions\/(\w+)$/.exec(pointer)?.[1]
  const found = name === undefined ? undefined : record(root['definitions'])[name]
  if (found === undefined) throw new RangeError(`${pointer} leads nowhere`)
  return found
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw new TypeError('expected an object')
  return value as Readonly<Record<string, unknown>>
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError('expected a list')
  return value
}
