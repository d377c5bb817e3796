/**
 * What TypeScript emitted as CommonJS, as the ES module that it was; other CommonJS as it is.
 * @throws {TypeError} for a form that is not known, with `file` and the statement
 */
export function toModule(code: string, file: string): string
