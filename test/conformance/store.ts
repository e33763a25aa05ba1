import { afterAll, afterEach, beforeAll, describe, test } from 'vitest'
import type { Store } from '../../src/actors/store/store.ts'
import type { Faults } from '../../src/embedded/faults.ts'
import { holds } from './lacking.ts'
import { type Property, StoreBench } from './store/bench.ts'
import { dataFiles } from './store/data-files.ts'
import { lostReplies } from './store/lost-replies.ts'
import { smallFiles } from './store/small-files.ts'

/** What a backend brings to the suite. */
export interface StoreUnderTest {
  readonly store: Store
  /** Another process's view of the same files. */
  readonly other: Store
  /** The backend's own, or those of a proxy before it. */
  readonly faults: Faults
  /** The requests in which each step takes its effect, as the faults' subjects. */
  readonly subjects: Readonly<Record<'create' | 'prepare' | 'publish', RegExp>>
  readonly keepsMetadata: boolean
  readonly stop: () => Promise<void>
}

/**
 * Everything that the sinks rely on, run over every backend.
 *
 * - small files: the probe; created once, among rivals, too; replaced; removed; listed in the order of their bytes.
 * - data files: prepared unseen, published by whomever and more than once; in several parts; discarded.
 * - lost replies: what is doubtful and what came of it; a chain that two write at once while replies are lost.
 */
const groups: Readonly<Record<string, (property: Property) => void>> = {
  'small files': smallFiles,
  'data files': dataFiles,
  'lost replies': lostReplies
}

export function storeConformance(name: string, start: () => Promise<StoreUnderTest>): void {
  const subject = `Store on ${name}`
  describe(subject, () => {
    let bench: StoreBench | undefined
    beforeAll(async () => {
      bench = new StoreBench(await start())
    }, 120_000)
    afterEach(() => bench?.under.faults.clear())
    afterAll(() => bench?.under.stop())

    for (const [group, define] of Object.entries(groups)) {
      describe(group, () =>
        define((title, run) => {
          if (!holds(subject, `${group}: ${title}`)) return
          test(title, async () => {
            if (bench === undefined) throw new Error('the store has not started')
            await run(bench)
          })
        })
      )
    }
  })
}
