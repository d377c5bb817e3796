/** Foundation, component, transport, priority, address; then the port. Neither JSON nor SDP escapes anything of it. */
const CANDIDATE = /(candidate:\S+ \d+ udp \d+ \S+ )(\d+)(?= typ host)/gi

/** What a page says to its signaling server, with the port of every candidate replaced, so that peers meet at another place of this machine. */
export async function leadCandidates(text: string, expose: (port: number) => Promise<number>): Promise<string> {
  const ports = new Map<string, number>()
  for (const [, , port = ''] of text.matchAll(CANDIDATE)) ports.set(port, await expose(Number(port)))
  return text.replace(CANDIDATE, (_, before: string, port: string) => `${before}${ports.get(port) ?? port}`)
}
