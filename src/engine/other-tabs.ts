/** Where engines of this origin tell each other that there is a newer catalogue or trust update. Close it with the engine. */
export function openOtherTabs(): BroadcastChannel {
  return new BroadcastChannel('sealift-catalogue')
}

/** Where they tell each other what can be given to peers. Apart, since it is said ten times a second. */
export function openSeedTabs(): BroadcastChannel {
  return new BroadcastChannel('sealift-seeds')
}
