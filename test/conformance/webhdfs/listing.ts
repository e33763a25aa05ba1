import { beforeAll, expect, test } from 'vitest'
import { call } from './requests.ts'
import { LISTING_MAX, type Subject } from './subject.ts'

interface Statuses {
  readonly FileStatuses: { readonly FileStatus: readonly { readonly pathSuffix: string }[] }
}

/** Directories that are larger than a page. */
export function listing(subject: () => Subject): void {
  const directory = '/listing/large'
  const plain = Array.from({ length: 2 * LISTING_MAX + 20 }, (_, index) => `${index % 7}-${index}`)
  // Java's bytes are signed: what is not ASCII comes first.
  const sorted = ['é', '🌊', '+ %25', ...plain.toSorted(), 'Z']

  beforeAll(async () => {
    const { nameNode } = subject()
    for (const name of sorted.toReversed()) await call(nameNode, 'PUT', `${directory}/${name}`, 'MKDIRS')
  })

  test('LISTSTATUS lists all of it, in the order of the signed bytes of the names', async () => {
    const { text } = await call(subject().nameNode, 'GET', directory, 'LISTSTATUS')
    expect(namesOf(JSON.parse(text) as Statuses)).toEqual(sorted)
  })

  test('LISTSTATUS_BATCH gives pages, which put together are the whole', async () => {
    const seen: string[] = []
    const pages: number[] = []
    for (let remaining = 1; remaining > 0; ) {
      const parameters = { startAfter: seen.at(-1) ?? '' }
      const { text } = await call(subject().nameNode, 'GET', directory, 'LISTSTATUS_BATCH', parameters)
      const { DirectoryListing } = JSON.parse(text) as {
        readonly DirectoryListing: { readonly partialListing: Statuses; readonly remainingEntries: number }
      }
      const page = namesOf(DirectoryListing.partialListing)
      seen.push(...page)
      pages.push(page.length)
      remaining = DirectoryListing.remainingEntries
    }
    expect(seen).toEqual(sorted)
    expect(pages).toEqual([LISTING_MAX, LISTING_MAX, 24])
  })

  test('a page begins after a name that is not there, too', async () => {
    const parameters = { startAfter: 'Y' }
    const { text } = await call(subject().nameNode, 'GET', directory, 'LISTSTATUS_BATCH', parameters)
    const { DirectoryListing } = JSON.parse(text) as {
      readonly DirectoryListing: { readonly partialListing: Statuses }
    }
    expect(namesOf(DirectoryListing.partialListing)).toEqual(['Z'])
  })
}

function namesOf({ FileStatuses }: Statuses): string[] {
  return FileStatuses.FileStatus.map(({ pathSuffix }) => pathSuffix)
}
