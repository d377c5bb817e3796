import { testsOf, type Weakness } from '../planting/weakness.ts'

/** What a test sees of the catalogue's life: see docs/catalogue-format.md, "When a catalogue is accepted". */
const life = testsOf('test/engine/catalogue-life.test.ts')
const freshness = testsOf('test/core/manifest/freshness.test.ts')
const choosing = testsOf('test/core/manifest/choose.test.ts')
const HUNT = testsOf('test/engine/catalogue-invariants.test.ts')('i03, i04')

export const weaknesses: readonly Weakness[] = [
  {
    name: 'tr03-rollback',
    file: 'src/core/manifest/freshness.ts',
    find: 'const lowest = Math.max(floor?.version ?? 0, offer.minimumVersion)',
    replace: 'const lowest = offer.minimumVersion',
    tests: [life('tr03.rollback'), freshness('the version never goes down')],
  },
  {
    name: 'tr04-minimum-not-pinned',
    file: 'src/core/manifest/freshness.ts',
    find: 'const lowest = Math.max(floor?.version ?? 0, offer.minimumVersion)',
    replace: 'const lowest = floor?.version ?? 0',
    tests: [life('leaves the minimum that the portal pins'), HUNT],
  },
  {
    name: 'tr04-second-floor-unread',
    file: 'src/engine/catalogue-floor.ts',
    find: '(own?.trust ?? 0) ? twin : own',
    replace: '(own?.trust ?? 0) ? own : own',
    tests: [life('tr04.rollback-after-evict'), HUNT],
  },
  {
    name: 'tr04-second-floor-unwritten',
    file: 'src/stores/twin-records.ts',
    find: "key.includes('-floor:')",
    replace: "key.includes('-floor;')",
    tests: [life('tr04.rollback-after-evict'), HUNT],
  },
  {
    name: 'tr04-second-floor-not-mended',
    file: 'src/engine/catalogue-desk.ts',
    find: '    await mendFloor(parts, floorOf(kept), signal)\n',
    replace: '',
    tests: [life('is written again at the next start')],
  },
  {
    name: 'tr04-forged-floor-believed',
    file: 'src/engine/catalogue-floor.ts',
    find: 'return (await isSignedInKept(parts, floor, signal)) ? floor : undefined',
    replace: 'return floor',
    tests: [life('cannot be forged into a floor that blocks')],
  },
  {
    name: 'tr05-equivocation',
    file: 'src/core/manifest/freshness.ts',
    find: 'if (floor?.version === offered.version && floor.sha256 !== offeredSha256) {',
    replace: 'if (floor?.version === 0 && floor.sha256 !== offeredSha256) {',
    tests: [life('tr05.equivocation'), life('are one lie when one of them was accepted before'), freshness('one version has one content')],
  },
  {
    name: 'tr05-strangers-believed',
    file: 'src/engine/catalogue-desk.ts',
    find: '  if (twin !== undefined && best !== newest) throw new DeliveryError(twin)\n',
    replace: '',
    tests: [life('are two lies to a stranger')],
  },
  {
    name: 'tr06-freeze',
    file: 'src/core/manifest/freshness.ts',
    find: 'if (nowSeconds > expiresAtSeconds + graceSeconds)',
    replace: 'if (nowSeconds > Number.MAX_SAFE_INTEGER + graceSeconds)',
    tests: [life('tr06.freeze'), life('tr21.skew')],
  },
  {
    name: 'tr06-grace-without-end',
    file: 'src/core/manifest/freshness.ts',
    find: 'if (nowSeconds > expiresAtSeconds + graceSeconds)',
    replace: 'if (nowSeconds > expiresAtSeconds + (graceSeconds && 1e9))',
    tests: [life('is bridged by the grace'), freshness('an outage stretches it')],
  },
  {
    name: 'tr07-first-answer-wins',
    file: 'src/engine/catalogue-desk.ts',
    find: 'isOutrun(high.catalogue, one.catalogue) ? one : high',
    replace: 'false ? one : high',
    tests: [life('tr07.one-source-frozen'), life('ends with the first source that goes on')],
  },
  {
    name: 'tr07-lagging-unnamed',
    file: 'src/engine/catalogue-desk.ts',
    find: 'if (catalogue.version < version) tell(',
    replace: 'if (catalogue.version < version) void (',
    tests: [life('the newest is used on a first visit')],
  },
  {
    name: 'tr08-fast-forward',
    file: 'src/core/manifest/freshness.ts',
    find: 'version > signedAtSeconds + MAX_WITNESS_SKEW_SECONDS',
    replace: 'version > Number.MAX_SAFE_INTEGER',
    tests: [life('tr08.fast-forward'), freshness('a version is a signing time')],
  },
  {
    name: 'tr08-ahead-of-the-clock',
    file: 'src/core/manifest/freshness.ts',
    find: 'return version > nowSeconds + MAX_CLOCK_SKEW_SECONDS',
    replace: 'return version > 2 ** 53 + nowSeconds',
    tests: [life('without a witness may be a day ahead'), freshness('a catalogue from more than a day ahead')],
  },
  {
    name: 'tr09-mix',
    file: 'src/scheduler/fetch-blob.ts',
    find: 'if (actual !== ref.sha256)',
    replace: "if (actual === 'none')",
    tests: [life('tr09.mix'), life('the piece list of the catalogue before is refused')],
  },
  {
    name: 'tr21-fresh-by-a-clock-set-back',
    file: 'src/core/manifest/freshness.ts',
    find: 'nowSeconds > expiresAtSeconds || isFromFuture(catalogue.version, question.nowSeconds) ?',
    replace: 'nowSeconds > expiresAtSeconds ?',
    tests: [life('what is kept goes on and is never called fresh'), freshness('a clock that was set back makes nothing fresh')],
  },
  {
    name: 'tr21-expired-made-fresh',
    file: 'src/core/manifest/freshness.ts',
    find: 'const nowSeconds = Math.max(question.nowSeconds, catalogue.version)',
    replace: 'const nowSeconds = question.nowSeconds',
    tests: [life('it stays expired however far'), freshness('a clock that was set back makes nothing fresh')],
  },
  {
    name: 'tr21-future-accepted',
    file: 'src/engine/catalogue-desk.ts',
    find: "if (failureOf(error)?.code === 'catalogue-future') ahead?.push(vouched)\n",
    replace: "if (failureOf(error)?.code === 'catalogue-future' && ahead !== undefined) return vouched\n",
    tests: [life('behind, on a first visit'), life('tr08.fast-forward')],
  },
  {
    name: 'tr21-pinned-digest-bricked',
    file: 'src/engine/catalogue-desk.ts',
    find: "if (failureOf(error)?.code === 'catalogue-future') ahead?.push(vouched)\n",
    replace: '',
    tests: [life('behind, on a first visit'), life('a digest that only a newer catalogue lists')],
  },
  {
    name: 'i03-tab-below-the-floor',
    file: 'src/engine/catalogue-desk.ts',
    find: '    if (isOutrun(newest?.catalogue, seen)) newest = undefined\n',
    replace: '',
    tests: [HUNT],
  },
  {
    name: 'rollout-always-the-same-tenth',
    file: 'src/core/manifest/choose.ts',
    find: '`${seed} ${name} ${version}`',
    replace: '`${seed}`',
    tests: [choosing('each release draws anew')],
  },
  {
    name: 'yanked-offered',
    file: 'src/core/manifest/choose.ts',
    find: 'return !entry.yanked && (',
    replace: 'return (',
    tests: [choosing('a yanked version is offered to nobody')],
  },
]
