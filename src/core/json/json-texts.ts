/** The JSON texts in a file: one document, or JSON Lines. Whether each is JSON is for its reader to find out. */
export function splitJsonTexts(text: string): readonly string[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return lines.length < 2 || isJson(text) ? [text] : lines
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    // Not one document: then it is taken for JSON Lines.
    return false
  }
}
