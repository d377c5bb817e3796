/** Draws what a camera reads. A chunk of its own: it is loaded when a code is shown. */

import { encode } from 'uqr'

const SVG = 'http://www.w3.org/2000/svg'
/** Modules of white around it, so that a camera finds its edges (ISO/IEC 18004 asks for four). */
const QUIET = 4

/** An image that fills its container, dark on light whatever the page's colours are: many readers know nothing else. */
export function drawSquares(text: string): SVGSVGElement {
  const { data, size } = encode(text, { ecc: 'M', border: 0 })
  const side = size + 2 * QUIET
  const path = data.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x + QUIET} ${y + QUIET}h1v1h-1z`] : []))).join('')
  const image = make('svg', { viewBox: `0 0 ${side} ${side}`, role: 'img', 'aria-label': 'QR code', 'shape-rendering': 'crispEdges' })
  image.append(make('rect', { width: `${side}`, height: `${side}`, fill: '#fff' }), make('path', { d: path, fill: '#000' }))
  return image
}

function make<Name extends 'svg' | 'rect' | 'path'>(name: Name, attributes: Readonly<Record<string, string>>): SVGElementTagNameMap[Name] {
  const element = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  return element
}
