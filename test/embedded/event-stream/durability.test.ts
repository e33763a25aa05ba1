import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { tweetAt } from '../../../src/embedded/event-stream/generator.ts'
import { type ChildService, spawnService } from '../child-service.ts'

const EVENTS = 6000
const headers = { authorization: 'Bearer t' }

let dataDir: string

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'event-stream-'))
})

afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

/** Reads until the stream breaks, or until the last event is there, or kills the service after `killAfter` lines. */
async function read(service: ChildService, lastId: string, killAfter: number): Promise<string[]> {
  const url = `http://127.0.0.1:${service.port}/2/tweets/search/stream?backfill_minutes=5`
  return await new Promise((resolve, reject) => {
    get(url, { headers, agent: false }, (response) => {
      const ids: string[] = []
      let rest = ''
      response.on('data', (chunk: Buffer) => {
        const parts = (rest + chunk.toString('latin1')).split('\r\n')
        rest = parts.pop() ?? ''
        for (const line of parts.filter((part) => part !== ''))
          ids.push(/"id":"(\d+)","(?:in_|lang)/.exec(line)?.[1] ?? '')
        if (ids.length >= killAfter) void service.kill()
        if (ids.at(-1) === lastId) response.destroy()
      })
      response.on('error', () => undefined)
      response.on('close', () => resolve(ids))
    }).on('error', reject)
  })
}

test('kill -9 at any moment: each life begins no later than what was received before, and none is missing', async () => {
  const expected = Array.from({ length: EVENTS }, (_, index) => tweetAt(9, index).id)
  const moments = Array.from({ length: 2 }, () => randomInt(1, EVENTS))
  let received = 0
  for (const moment of [...moments, Infinity]) {
    const options = { dataDir, token: 't', seed: 9, events: EVENTS }
    const service = await spawnService('event-stream/event-stream.ts', 'startEventStream', options)
    await fetch(`http://127.0.0.1:${service.port}/2/tweets/search/stream/rules`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ add: ['hadoop', '"big data"', 'kafka', 'cloud'].map((value) => ({ value })) })
    })
    const ids = await read(service, expected.at(-1) ?? '', moment)
    await service.kill()
    const start = expected.indexOf(ids[0] ?? '')
    expect(start, `moments ${moments}`).toBeLessThanOrEqual(received)
    expect(ids, `moments ${moments}`).toEqual(expected.slice(start, start + ids.length))
    received = Math.max(received, start + ids.length)
  }
  expect(received).toBe(EVENTS)
})
