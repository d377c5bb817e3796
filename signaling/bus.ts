/** Carries short texts between the processes of one deployment. Nothing is kept: whoever is not there misses it. */
export interface Bus {
  /** Listens from now on, over as many connections after each other as it takes. Call it once. */
  open(own: BusAddress, listener: BusListener): void
  /** To every process, this one included; or to the one that is named. Lost while the bus is down. */
  publish(text: string, to?: string): void
  /** Ends it without a word. */
  close(): Promise<void>
}

export interface BusAddress {
  /** This process, under a name that no other has. */
  readonly id: string
  /** Proposed to be the secret of all processes, 32 bytes. The first one proposed is. */
  readonly salt: Uint8Array
}

export interface BusListener {
  /** What is published from now on arrives here, and what is published here goes out. Called again after each loss. */
  readonly onOnline: (salt: Uint8Array) => void
  readonly onOffline: (detail: string) => void
  readonly onText: (text: string) => void
  /** Something could not be published. */
  readonly onLost: () => void
}
