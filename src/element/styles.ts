/**
 * Colours are those of the page's own `color-scheme`, so light, dark and forced colours come by themselves. A constructed sheet: a strict
 * Content Security Policy refuses `style` elements and attributes. The status is never `display: none`: it would not be read out when it speaks.
 * While the question is on the screen, the status says it to those only who hear.
 */
const CSS = `
:host { display: inline-block; max-inline-size: 100%; font: inherit; color: inherit }
:host([hidden]), [hidden] { display: none !important }
.box { position: relative; display: grid; gap: var(--sealift-gap, .5rem); justify-items: start }
button {
  min-block-size: 2.75rem; padding: .5rem 1rem; font: inherit; cursor: pointer;
  color: var(--sealift-button-color, ButtonText); background: var(--sealift-button-background, ButtonFace);
  border: 1px solid var(--sealift-button-border, currentColor); border-radius: var(--sealift-radius, .375rem)
}
:focus-visible { outline: 3px solid var(--sealift-focus, Highlight); outline-offset: 2px }
progress { inline-size: 100%; min-inline-size: 12rem; block-size: .75rem; accent-color: var(--sealift-accent, auto) }
p { margin: 0; max-inline-size: 36rem }
.status:empty { margin-block-start: calc(-1 * var(--sealift-gap, .5rem)) }
:host([state=consent]) .status { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
.answers { display: flex; flex-wrap: wrap; gap: var(--sealift-gap, .5rem); margin-block-start: var(--sealift-gap, .5rem) }
:host([state=refused]) .status, :host([state=failed]) .status { border-inline-start: 4px solid var(--sealift-alert, currentColor); padding-inline-start: .75rem }
@media (prefers-reduced-motion: reduce) { progress:indeterminate { appearance: none } }
`

let sheet: CSSStyleSheet | undefined

/** One for all elements of the page. */
export function sharedSheet(): CSSStyleSheet {
  if (sheet === undefined) {
    sheet = new CSSStyleSheet()
    sheet.replaceSync(CSS)
  }
  return sheet
}
