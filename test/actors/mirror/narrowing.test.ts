import fc from 'fast-check'
import { expect, test } from 'vitest'
import { kafkaFault } from '../../../src/actors/kafka/errors.ts'
import type { ProduceResult } from '../../../src/actors/kafka/producer.ts'
import { failuresOf } from '../../../src/actors/mirror/failures.ts'
import type { CopiedBatch } from '../../../src/actors/mirror/intake.ts'
import { both, type Refused } from '../../../src/machines/refused.ts'
import { decodeRecords } from '../../../src/records/record.ts'
import { chooseSeed } from '../../support/random.ts'
import { batchAt, LARGE, newIntake, range, sliceOf } from './slices.ts'

/** A target that refuses batches for some of their records, and a mirror that tries until all is there or left out. */

const INVALID_RECORD = 87
const MESSAGE_TOO_LARGE = 10

interface World {
  readonly log: readonly Buffer[]
  readonly isPoison: (offset: number) => boolean
  readonly error: number
  /** Whether the target tells which records it means. */
  readonly names: boolean
  readonly hashedOver: number | undefined
}

const offsetsOf = ({ batch }: CopiedBatch) =>
  decodeRecords(batch).map(({ value }) => Number.parseInt(String(value), 10))

/** What the target answers: behind a refused batch nothing is taken. */
function answersOf(batches: readonly CopiedBatch[], { isPoison, error, names }: World): ProduceResult[] {
  let isOver = false
  return batches.map((one) => {
    const recordErrors = offsetsOf(one).flatMap((offset, index) =>
      isPoison(offset) ? [{ index, message: 'no' }] : []
    )
    const { topic, partition } = one
    const isRefused = recordErrors.length > 0 && !isOver
    const fault = isRefused ? kafkaFault(error, 'x') : isOver ? kafkaFault(45, 'x') : undefined
    isOver ||= isRefused
    const code = isRefused ? error : fault === undefined ? 0 : 45
    const named = isRefused && names ? { recordErrors } : {}
    return { topic, partition, baseOffset: -1, error: code, fault, ...named }
  })
}

/** Tries from the start of the log, as transactions are taken back, until one goes through. */
function copy(world: World) {
  const policies = { rejected: 'skip', sourceCorrupt: 'fail' } as const
  let refused: Refused | undefined
  for (let tries = 1; ; tries++) {
    const over = world.hashedOver === undefined ? {} : { hashedOver: world.hashedOver }
    const intake = newIntake(0, { policies, maxBytes: 1 << 20, ...over, ...(refused && { refused }) })
    const [taken] = intake.take([sliceOf(0, world.log)])
    const { batches } = intake.unload()
    const [failure] = failuresOf(answersOf(batches, world), batches)
    if (failure === undefined) {
      const copied = batches.flatMap(offsetsOf)
      return { copied, skipped: (taken?.skipped ?? []).map(({ from }) => from), tries }
    }
    if (failure.refused === undefined) throw new Error(`not a refusal: ${failure.fault.message}`)
    refused = both(refused, failure.refused)
    if (tries > 200) throw new Error(`no end after ${tries} tries: ${JSON.stringify(refused)}`)
  }
}

const kinds = fc.array(fc.record({ records: fc.integer({ min: 1, max: 60 }), isLarge: fc.boolean() }), {
  minLength: 1,
  maxLength: 6
})

function logOf(sizes: readonly { readonly records: number; readonly isLarge: boolean }[]) {
  let offset = 0
  const log = sizes.map(({ records, isLarge }) => {
    const bytes = isLarge ? Math.ceil(LARGE / records) : 12
    const batch = batchAt(offset, { records, bytes })
    offset += records
    return batch
  })
  return { log, end: offset }
}

test('whatever is refused is found record by record, and everything else is copied once and in order', () => {
  const seed = chooseSeed()
  const property = fc.property(
    kinds,
    fc.array(fc.nat(), { maxLength: 4 }),
    fc.constantFrom(INVALID_RECORD, MESSAGE_TOO_LARGE),
    fc.boolean(),
    fc.constantFrom(undefined, 3),
    (sizes, poisons, error, names, hashedOver) => {
      const { log, end } = logOf(sizes)
      const poison = new Set(poisons.map((n) => n % end))
      const isPoison = (offset: number) => poison.has(offset)
      const { copied, skipped, tries } = copy({ log, isPoison, error, names, hashedOver })
      expect(skipped).toEqual([...poison].sort((a, b) => a - b))
      const wanted = range(0, end).filter((offset) => !isPoison(offset))
      // All keys are the same: they stay together, wherever they go.
      expect(copied).toEqual(wanted)
      // A batch has at most some hundred records: three tries per record that is to be found.
      expect(tries).toBeLessThanOrEqual(1 + poison.size * (names ? 1 : 4))
    }
  )
  fc.assert(property, { seed, numRuns: 150 })
})
