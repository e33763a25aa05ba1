import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { ByteBudget } from '../../../src/actors/budget.ts'
import { createFileFeed } from '../../../src/actors/feed/ndjson-file.ts'
import { runFeed, textOf } from './support.ts'

const directory = mkdtempSync(join(tmpdir(), 'causeway-feed-'))
afterAll(() => rmSync(directory, { recursive: true }))

function fileOf(name: string, content: string): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

const lines = Array.from({ length: 500 }, (_, n) =>
  JSON.stringify({ id: String(n), text: '🌊'.repeat(n % 40) })
)

test('from every cursor it gave, the feed reads exactly the rest of the file', async () => {
  const path = fileOf('many', `${lines.join('\n')}\n`)
  const budget = new ByteBudget(1 << 20)
  const whole = runFeed(createFileFeed({ path, budget, readBytes: 1_000 }), undefined)
  await whole.until(() => whole.reports.at(-1)?.type === 'feed.ended')
  expect(textOf(whole.reports)).toEqual(lines)
  let seen = 0
  for (const report of whole.reports) {
    if (report.type !== 'feed.chunk') continue
    seen += report.chunk.lines.length
    if (seen % 7 !== 0) continue
    const rest = runFeed(createFileFeed({ path, budget, readBytes: 4_096 }), report.chunk.cursor)
    await rest.until(() => rest.reports.at(-1)?.type === 'feed.ended')
    expect(textOf(rest.reports)).toEqual(lines.slice(seen))
    for (const one of rest.reports) if (one.type === 'feed.chunk') one.chunk.lease.release()
    rest.actor.stop()
  }
})

test('a last line without a line end is a line', async () => {
  const feed = runFeed(
    createFileFeed({ path: fileOf('open', '{"a":1}\n{"b":2}'), budget: new ByteBudget(1 << 20) }),
    undefined
  )
  await feed.until(() => feed.reports.at(-1)?.type === 'feed.ended')
  expect(textOf(feed.reports)).toEqual(['{"a":1}', '{"b":2}'])
})

test('reading stops while the budget is used up, and a line larger than the budget passes alone', async () => {
  const large = 'x'.repeat(5_000)
  const path = fileOf('large', `{"a":1}\n${large}\n{"b":2}\n`)
  const budget = new ByteBudget(1_000)
  const feed = runFeed(createFileFeed({ path, budget, readBytes: 500 }), undefined)
  const chunks = () => feed.reports.filter((report) => report.type === 'feed.chunk')
  const taken = new Set<unknown>()
  while (feed.reports.at(-1)?.type !== 'feed.ended') {
    const before = chunks().length
    for (const report of chunks()) {
      if (report.type !== 'feed.chunk' || taken.has(report)) continue
      taken.add(report)
      report.chunk.lease.release()
    }
    await feed.until(() => chunks().length > before || feed.reports.at(-1)?.type === 'feed.ended')
  }
  expect(textOf(feed.reports)).toEqual(['{"a":1}', large, '{"b":2}'])
  for (const report of chunks()) if (report.type === 'feed.chunk') report.chunk.lease.release()
  expect(budget.usedBytes).toBe(0)
})

test('a stopped feed gives its credit back', async () => {
  const path = fileOf('stopped', `${lines.join('\n')}\n`)
  const budget = new ByteBudget(2_000)
  const feed = runFeed(createFileFeed({ path, budget, readBytes: 1_000 }), undefined)
  await feed.until(() => feed.reports.some(({ type }) => type === 'feed.chunk'))
  feed.actor.stop()
  for (const report of feed.reports) if (report.type === 'feed.chunk') report.chunk.lease.release()
  await new Promise((resolve) => {
    const end = budget.onChange(() => look())
    const look = () => {
      if (budget.usedBytes > 0) return
      end()
      resolve(undefined)
    }
    look()
  })
})

test.each([
  ['an absent file', join(directory, 'absent'), undefined, 'feed-file-unreadable'],
  ['a file that has become shorter', fileOf('short', '{}\n'), { offset: 9, line: 4 }, 'feed-file-shorter']
])('%s ends the feed with its code', async (_, path, cursor, code) => {
  const feed = runFeed(createFileFeed({ path, budget: new ByteBudget(100) }), cursor)
  await feed.until(() => feed.failure() !== undefined)
  expect(feed.failure()).toMatchObject({ code, retryable: false })
})
