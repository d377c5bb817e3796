/** Grammar of the words that a publisher chooses, beside the artifact's name. All are safe in a URL path and in a file name. */

const VERSION = /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}$/
const PLATFORM = /^[a-z0-9][a-z0-9._-]{0,63}(?:\/[a-z0-9][a-z0-9._-]{0,63}){1,2}$/
const CHANNEL = /^[a-z0-9][a-z0-9._-]{0,63}$/
const MEDIA_TYPE = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/
const LABEL = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/

/** Letters, digits, `.`, `_`, `+`, `~`, `-`; semantic versions and most others. */
export function isVersion(text: unknown): text is string {
  return typeof text === 'string' && VERSION.test(text)
}

/** `os/arch` or `os/arch/variant`, in lower case. */
export function isPlatform(text: unknown): text is string {
  return typeof text === 'string' && PLATFORM.test(text)
}

export function isChannel(text: unknown): text is string {
  return typeof text === 'string' && CHANNEL.test(text)
}

/** `type/subtype` without parameters. */
export function isMediaType(text: unknown): text is string {
  return typeof text === 'string' && MEDIA_TYPE.test(text)
}

/** Name of an origin, a gateway or a repository: letters, digits, `.`, `_`, `:`, `-`. */
export function isLabel(text: unknown): text is string {
  return typeof text === 'string' && LABEL.test(text)
}
