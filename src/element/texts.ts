/** Everything that the element says. `{name}`, `{file}`, `{percent}`, `{code}` and `{nextStep}` are filled in. */
export interface Texts {
  /** On the button, before a download. */
  readonly download: string
  /** On the button while it works. */
  readonly cancel: string
  /** On the button, after a download that the page did not let be saved. */
  readonly save: string
  /** On the button, once the file was saved. */
  readonly again: string
  /** On the button, after a failure. */
  readonly retry: string
  readonly resolving: string
  /** Another tab of this site fetches the same. */
  readonly waiting: string
  readonly fetching: string
  readonly checking: string
  readonly cancelled: string
  /** Asked before the first download, where the page says `sharing="ask"`. */
  readonly question: string
  readonly share: string
  readonly alone: string
  /** The page did not let it be saved. */
  readonly verified: string
  readonly done: string
  /** The publisher's word, or the lack of it, is against these bytes. */
  readonly refused: string
  readonly failed: string
  /** The `{nextStep}` of a failure that is none of Sealift's. */
  readonly unexpected: string
}

/** British English, in words that stand for themselves. */
export const ENGLISH: Texts = {
  download: 'Download {name}',
  cancel: 'Cancel',
  save: 'Save {file}',
  again: 'Save {file} again',
  retry: 'Try again',
  resolving: 'Looking for {name}.',
  waiting: 'Another tab is fetching {name}; this one waits for it.',
  fetching: 'Fetching {file}: {percent} % verified.',
  checking: 'Checking the signatures of {file}.',
  cancelled: 'Cancelled. What arrived is kept for the next time.',
  question:
    'May this browser share the download with others? It helps while servers are down. The others then see the network address of this machine.',
  share: 'Share and download',
  alone: 'Download without sharing',
  verified: '{file} is verified.',
  done: '{file} is verified and saved to your downloads.',
  refused: '{name} was refused ({code}), and nothing was saved. {nextStep}',
  failed: '{name} was not delivered ({code}). {nextStep}',
  unexpected: 'Reload this page, then try again.',
}

/** `text-download`, `text-cancel`, and so on. */
export const TEXT_ATTRIBUTES: readonly string[] = Object.keys(ENGLISH).map((key) => `text-${key}`)

/** What the embedder said comes first: the property, then the attributes. */
export function chooseText(key: keyof Texts, given: Partial<Texts>, attribute: (name: string) => string | null): string {
  return given[key] ?? attribute(`text-${key}`) ?? ENGLISH[key]
}

/** A placeholder that nothing fills in stays as it is, so that whoever misspelt it sees it. */
export function fillIn(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\{(\w+)\}/g, (whole, key: string) => (Object.hasOwn(values, key) ? (values[key] ?? whole) : whole))
}
