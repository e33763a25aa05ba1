import { constants, createReadStream } from 'node:fs'
import { access } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { tweetAt } from '../embedded/event-stream/generator.ts'
import { Fault, toFault } from '../errors.ts'
import { eventId } from '../records/tweet.ts'
import type { DemoOptions } from './options.ts'
import { demoSeed } from './services.ts'
import { Expected } from './tally.ts'

/** What the stores must hold in the end, worked out from the input alone. */
export interface Expectation {
  readonly events: Expected
  /** Lines of an input file that are no events: they must become dead letters. */
  readonly malformed: number
}

export async function expectationOf(options: DemoOptions): Promise<Expectation> {
  return options.input === undefined ? generated(options.events) : fromFile(options.input)
}

function generated(count: number): Expectation {
  const events = new Expected()
  for (let index = 0; index < count; index++) events.add(tweetAt(demoSeed, index).id)
  return { events, malformed: 0 }
}

async function fromFile(path: string): Promise<Expectation> {
  await access(path, constants.R_OK).catch((error: unknown) => {
    throw new Fault('arguments-invalid', `--input ${path} cannot be read: ${toFault(error).message}`)
  })
  const events = new Expected()
  let malformed = 0
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    if (line.trim() === '') continue
    const id = eventId(Buffer.from(line))
    if (id instanceof Fault) malformed++
    else events.add(id)
  }
  return { events, malformed }
}
