import fc from 'fast-check'
import { expect, test } from 'vitest'
import { describeCircle, findCircle, legOf, type MirrorScope } from '../../src/config/circles.ts'
import type { Naming } from '../../src/config/naming.ts'
import { ConfigFaults, parseConfig } from '../../src/config.ts'

const environment = { variable: () => undefined, readText: () => '', absolute: (path: string) => path }
const HEAD = 'name = "n"\ndata_dir = "d"\n[cluster]\n'
const CLUSTERS = ['a', 'b', 'c'].map((name) => `${name} = { brokers = ["${name}:9092"] }\n`).join('')

/** What is wrong with a config of these mirrors, each `NAME = { … }`. */
function faultsOf(...mirrors: readonly string[]): string[] {
  try {
    parseConfig(`${HEAD}${CLUSTERS}[mirror]\n${mirrors.join('\n')}`, 'c.toml', environment)
    return []
  } catch (error) {
    if (error instanceof ConfigFaults) return error.faults.map(({ key, problem }) => `${key} ${problem}`)
    throw error
  }
}

const mirror = (name: string, from: string, to: string, more = '') =>
  `${name} = { from = "${from}", to = "${to}"${more === '' ? '' : `, ${more}`} }`
const prefix = (text: string) => `naming = { prefix = "${text}" }`
const END = '; allowed: topics that do not come back, or naming by a prefix on both ways'

test('two mirrors of the same names both ways are a circle, and the way is told', () => {
  expect(faultsOf(mirror('forth', 'a', 'b'), mirror('back', 'b', 'a'))).toEqual([
    `mirror.back.topics copies in a circle: x on a → x on b ([mirror.forth]) → x on a ([mirror.back])${END}`
  ])
})

test('a circle of three mirrors, and one that only some topics go round', () => {
  const ring = [mirror('ab', 'a', 'b'), mirror('bc', 'b', 'c', 'topics = ["eu-.*", "us"]')]
  expect(faultsOf(...ring, mirror('ca', 'c', 'a', 'topics = ["us", "asia"]'))).toEqual([
    `mirror.ca.topics copies in a circle: us on a → us on b ([mirror.ab]) → us on c ([mirror.bc]) → us on a ([mirror.ca])${END}`
  ])
  expect(faultsOf(...ring, mirror('ca', 'c', 'a', 'topics = ["asia"]'))).toEqual([])
})

test('a circle over renamed topics', () => {
  const forth = mirror('forth', 'a', 'b', 'topics = ["t"], naming = { map = { t = "u" } }')
  expect(faultsOf(forth, mirror('back', 'b', 'a', 'topics = ["u"], naming = { map = { u = "t" } }'))).toEqual(
    [`mirror.back.topics copies in a circle: t on a → u on b ([mirror.forth]) → t on a ([mirror.back])${END}`]
  )
  expect(faultsOf(forth, mirror('back', 'b', 'a', 'topics = ["u"]'))).toEqual([])
})

test('naming by prefix on both ways is no circle, whatever the prefixes are', () => {
  expect(faultsOf(mirror('forth', 'a', 'b', prefix('a.')), mirror('back', 'b', 'a', prefix('b.')))).toEqual(
    []
  )
  expect(
    faultsOf(mirror('forth', 'a', 'b', prefix('left-')), mirror('back', 'b', 'a', prefix('right-')))
  ).toEqual([])
})

test('a ring of prefixes that name their clusters ends; one that does not grows for ever', () => {
  const ring = (...prefixes: readonly string[]) =>
    faultsOf(
      mirror('ab', 'a', 'b', prefix(prefixes[0] ?? '')),
      mirror('bc', 'b', 'c', prefix(prefixes[1] ?? '')),
      mirror('ca', 'c', 'a', prefix(prefixes[2] ?? ''))
    )
  expect(ring('a.', 'b.', 'c.')).toEqual([])
  expect(ring('p-', 'q-', 'r-')).toEqual([
    `mirror.ca.topics copies in a circle: x on a → p-x on b ([mirror.ab]) → q-p-x on c ([mirror.bc]) → r-q-p-x on a ([mirror.ca]) → p-r-q-p-x on b ([mirror.ab])${END}`
  ])
})

test('a prefix one way and the same names the other way is a circle', () => {
  expect(faultsOf(mirror('forth', 'a', 'b', prefix('a.')), mirror('back', 'b', 'a'))[0]).toContain(
    'x on a → a.x on b ([mirror.forth]) → a.x on a ([mirror.back]) → a.a.x on b ([mirror.forth])'
  )
})

test('exclusions break a circle', () => {
  const forth = mirror('forth', 'a', 'b', 'exclude = ["from-b"]')
  expect(faultsOf(forth, mirror('back', 'b', 'a', 'topics = ["from-b"]'))).toEqual([])
  expect(faultsOf(forth, mirror('back', 'b', 'a', 'topics = ["from-b", "t"]'))).toHaveLength(1)
})

test.each([
  [
    '{ map = { a = "c", b = "c" } }',
    'naming.map.b = "c" is not allowed; allowed: a name that no other topic is given, and "a" is'
  ],
  [
    '{ map = { a = "x.internal" } }',
    'naming.map.a = "x.internal" is not allowed; allowed: a topic that does not end in ".internal"'
  ],
  ['{ map = { a = "b c" } }', 'naming.map.a = "b c" is not allowed; allowed: a Kafka topic'],
  [
    '{ map = { t = "u" } }',
    'naming.map.t = "u" is not allowed; allowed: a name that no other topic has on the target, and "u" keeps its own'
  ],
  ['{ prefix = "__a" }', 'naming.prefix = "__a" is not allowed; allowed: up to 200 letters'],
  ['{ prefix = "a", map = {} }', 'naming = a table is not allowed; allowed: "identity", { prefix'],
  ['{ prefx = "a" }', 'naming.prefx is not a known key; did you mean "prefix"?'],
  ['3', 'naming = 3 is not allowed; allowed: "identity", { prefix'],
  ['"identty"', 'naming is a string, which is not allowed; allowed: "identity", { prefix']
])('naming = %s is refused', (naming, problem) => {
  const faults = faultsOf(mirror('m', 'a', 'b', `topics = ["t", "u"], naming = ${naming}`))
  expect(faults[0]).toContain(`mirror.m.${problem}`)
})

/** Small worlds of mirrors between three clusters. */
const namings: fc.Arbitrary<Naming> = fc.oneof(
  fc.constant({ type: 'identity' } as const),
  fc.constantFrom('a.', 'b.', 'p-').map((text) => ({ type: 'prefix', prefix: text }) as const),
  fc.constantFrom({ t: 'u' }, { u: 't' }).map((names) => ({ type: 'map', names }) as const)
)
const ref = (name: string) => ({ key: name, name })
const scopes: fc.Arbitrary<MirrorScope> = fc
  .record({
    from: fc.constantFrom('a', 'b', 'c'),
    to: fc.constantFrom('a', 'b', 'c'),
    topics: fc.constantFrom(['.*'], ['t'], ['u'], ['.*t']),
    naming: namings
  })
  .filter(({ from, to }) => from !== to)
  .map(({ from, to, ...scope }) => ({
    ...scope,
    name: `${from}${to}`,
    from: ref(from),
    to: ref(to),
    exclude: [],
    origins: [`${to}.`]
  }))

test('where no circle is found, copying comes to an end', () => {
  fc.assert(
    fc.property(fc.array(scopes, { minLength: 1, maxLength: 5 }), (all) => {
      const legs = all.map(legOf)
      fc.pre(
        ['a', 'b', 'c'].every((name) => findCircle(legs, { cluster: ref(name), topic: 't' }) === undefined)
      )
      const seen = new Set(['a', 'b', 'c'].map((name) => `${name} t`))
      for (const place of seen) {
        const [cluster = '', topic = ''] = place.split(' ')
        for (const leg of legs) {
          if (leg.scope.from.key === cluster && leg.copies(topic)) {
            seen.add(`${leg.scope.to.key} ${leg.rename(topic)}`)
          }
        }
        expect(seen.size, describeAll(all)).toBeLessThan(300)
      }
    })
  )
})

function describeAll(all: readonly MirrorScope[]): string {
  return all.map((one) => JSON.stringify(one)).join('\n')
}

test('only circles through the mirror that asks count', () => {
  const scope = (from: string, to: string): MirrorScope => ({
    name: `${from}${to}`,
    from: ref(from),
    to: ref(to),
    topics: ['.*'],
    exclude: [],
    naming: { type: 'identity' },
    origins: []
  })
  const legs = [scope('a', 'b'), scope('b', 'c'), scope('c', 'b')].map(legOf)
  const start = { cluster: ref('a'), topic: 't' }
  expect(findCircle(legs, start, legs[0])).toBeUndefined()
  const found = findCircle(legs, start)
  expect(found === undefined ? '' : describeCircle(found)).toBe('t on b → t on c (bc) → t on b (cb)')
})
