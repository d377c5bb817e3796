/** The part of `buffer` that simple-peer touches: a view of what a data channel hands over. */
export const Buffer = {
  from: (data: ArrayBuffer | Uint8Array): Uint8Array => (data instanceof Uint8Array ? data : new Uint8Array(data)),
}
