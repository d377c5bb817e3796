const UNITS = [
  { seconds: 86_400, name: 'd' },
  { seconds: 3600, name: 'h' },
  { seconds: 60, name: 'min' },
  { seconds: 1, name: 's' },
] as const

/** For people, in its two largest units: `6 d 23 h`. */
export function sayDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const first = UNITS.findIndex((unit) => whole >= unit.seconds)
  if (first < 0) return '0 s'
  let rest = whole
  const parts = UNITS.slice(first, first + 2).map(({ seconds: size, name }) => {
    const count = Math.floor(rest / size)
    rest -= count * size
    return count === 0 ? '' : `${count} ${name}`
  })
  return parts.filter((part) => part !== '').join(' ')
}
