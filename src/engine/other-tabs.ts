/** Where engines of this origin tell each other that there is a newer catalogue or trust update. Close it with the engine. */
export function openOtherTabs(): BroadcastChannel {
  return new BroadcastChannel('sealift-catalogue')
}
