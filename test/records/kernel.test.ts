import { isUtf8 } from 'node:buffer'
import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { compileKernel, kernelModule } from '../../scripts/kernel/compile.ts'
import { crc32c, rawCrc32c } from '../../src/records/crc32c.ts'
import { JsonScanner, kinds } from '../../src/records/json.ts'
import { JsonPlan } from '../../src/records/json-plan.ts'

test('the bytes in the sources are what the kernel compiles to', async () => {
  const bytes = new URL('../../src/records/kernel-bytes.ts', import.meta.url)
  expect(await readFile(bytes, 'utf8')).toBe(kernelModule(await compileKernel()))
}, 300_000)

test.each([
  ['that the kernel has to grow for', 5 * 1024 * 1024],
  ['for which it is not kept', 20 * 1024 * 1024]
])('a document %s is scanned, and small ones after it', (_size, length) => {
  const scanner = new JsonScanner(new JsonPlan(['/long', '/last']))
  const found = (document: Buffer) => {
    expect(scanner.scan(document, 0, document.length)).toBeUndefined()
    expect([...scanner.kinds]).toEqual([kinds.text, kinds.number])
    const [start, end] = [scanner.starts[0], scanner.ends[0]]
    return [
      document.subarray(start, end).length,
      document.toString('latin1', scanner.starts[1], scanner.ends[1])
    ]
  }
  const document = (letters: number) => Buffer.from(`{"long":"${'é'.repeat(letters / 2)}","last":7}`)
  expect(found(document(length))).toEqual([length, '7'])
  expect(found(document(10))).toEqual([10, '7'])
  const cut = document(length).subarray(0, -1)
  expect(scanner.scan(cut, 0, cut.length)).toBe(`not JSON: the text ends early, at byte ${cut.length}`)
})

test('a bad character is found wherever in a string it is', () => {
  const scanner = new JsonScanner(new JsonPlan(['']))
  for (let length = 1; length < 50; length++) {
    for (let at = 0; at < length; at++) {
      const document = Buffer.from(`["${'x'.repeat(length)}"]`)
      for (const [byte, why] of [
        [0x1f, `not JSON: a control character in a string, at byte ${at + 2}`],
        [0x5c, undefined],
        [0xff, 'not UTF-8']
      ] as const) {
        document[at + 2] = byte
        const said = scanner.scan(document, 0, document.length)
        if (why === undefined) expect(said).toMatch(/an escape that does not exist|a string without its end/)
        else expect(said).toBe(why)
      }
    }
  }
})

test('what is UTF-8 is what Node says it is, wherever it stands', () => {
  const scanner = new JsonScanner(new JsonPlan(['']))
  const inString = (bytes: readonly number[], before: number) =>
    Buffer.concat([Buffer.from(`"${'x'.repeat(before)}`), Buffer.from(bytes), Buffer.from('"')])
  const edges = [0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0]
  const firsts = Array.from({ length: 128 }, (_, index) => 128 + index)
  const sequences = firsts.flatMap((first) => [
    [first],
    ...edges.flatMap((second) => [
      [first, second],
      ...[0x7f, 0x80, 0xbf, 0xc0].flatMap((third) => [
        [first, second, third],
        ...[0x7f, 0x80, 0xbf, 0xc0].map((fourth) => [first, second, third, fourth])
      ])
    ])
  ])
  let sound = 0
  for (const [index, bytes] of sequences.entries()) {
    const document = inString(bytes, index % 40)
    const isSound = isUtf8(document)
    if (isSound) sound++
    const said = scanner.scan(document, 0, document.length)
    expect(said, `bytes ${bytes}`).toBe(isSound ? undefined : 'not UTF-8')
  }
  expect(sound).toBeGreaterThan(500)
})

test('a visit to an element may scan something else', () => {
  const [outer, other] = [
    new JsonScanner(new JsonPlan(['/id'])),
    new JsonScanner(new JsonPlan(['/a', '/b', '/c']))
  ]
  const array = Buffer.from('[{"id":1}, {"id":22} ,{"id":333}]')
  const ids: string[] = []
  outer.some(array, 0, array.length, () => {
    ids.push(array.toString('latin1', outer.starts[0], outer.ends[0]))
    const document = Buffer.from(`{"a":"${'x'.repeat(100)}","b":[]}`)
    expect(other.scan(document, 0, document.length)).toBeUndefined()
    return false
  })
  expect(ids).toEqual(['1', '22', '333'])
})

test('scanners take turns without seeing what the others found', () => {
  const [one, two] = [new JsonScanner(new JsonPlan(['/a', '/b'])), new JsonScanner(new JsonPlan(['/b']))]
  const document = Buffer.from('{"a":1,"b":true}')
  one.scan(document, 0, document.length)
  two.scan(document, 0, document.length)
  one.scan(Buffer.from('{"b":{}}'), 0, 8)
  expect([...one.kinds]).toEqual([kinds.absent, kinds.object])
  expect([...two.kinds]).toEqual([kinds.true])
})

test('the CRC of many bytes is that of few at a time', () => {
  const seed = randomInt(2 ** 31)
  let state = seed
  const bytes = Buffer.from(
    Array.from({ length: 70_000 }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return state >>> 24
    })
  )
  for (const length of [2047, 2048, 2049, 16_384, 16_385, 32_768, 69_000]) {
    const start = seed % 1000
    let register = -1
    for (let at = start; at < start + length; at += 100) {
      register = rawCrc32c(register, bytes, at, Math.min(at + 100, start + length))
    }
    expect(crc32c(bytes, start, start + length), `seed ${seed}, ${length} bytes`).toBe((register ^ -1) >>> 0)
  }
})
