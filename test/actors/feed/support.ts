import { type AnyActorRef, createActor, setup } from 'xstate'
import type { Cursor, FeedReport } from '../../../src/actors/feed/feed.ts'
import type { createFileFeed } from '../../../src/actors/feed/ndjson-file.ts'

type Feed = ReturnType<typeof createFileFeed>

export interface Running {
  readonly actor: AnyActorRef
  readonly reports: FeedReport[]
  /** What the feed failed with. */
  readonly failure: () => unknown
  /** Resolves when a report or a failure fits. */
  readonly until: (fits: () => boolean) => Promise<void>
}

/** Runs a feed under a parent that keeps its reports. */
export function runFeed(feed: Feed, cursor: Cursor | undefined): Running {
  const reports: FeedReport[] = []
  let failure: unknown
  const waiters = new Set<() => void>()
  const wake = () => {
    for (const waiter of waiters) waiter()
  }
  const parent = setup({ actors: { feed } }).createMachine({
    invoke: { src: 'feed', id: 'feed', input: { cursor } },
    on: {
      '*': {
        actions: ({ event }) => {
          if (event.type.startsWith('feed.')) reports.push(event as FeedReport)
          if (event.type === 'xstate.error.actor.feed')
            failure = (event as unknown as { error: unknown }).error
          wake()
        }
      }
    }
  })
  const actor = createActor(parent)
  actor.start()
  const until = (fits: () => boolean) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!fits()) return
        waiters.delete(look)
        resolve()
      }
      waiters.add(look)
      look()
    })
  return { actor, reports, failure: () => failure, until }
}

/** The text of every line so far. */
export function textOf(reports: readonly FeedReport[]): string[] {
  return reports.flatMap((report) =>
    report.type === 'feed.chunk' ? report.chunk.lines.map(({ bytes }) => bytes.toString()) : []
  )
}
