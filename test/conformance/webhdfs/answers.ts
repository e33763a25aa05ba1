import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { type Answer, call, run, type Step } from './requests.ts'
import { root, safeModeSteps, sections, standbySteps } from './scenario.ts'
import type { Subject } from './subject.ts'

/**
 * Every answer of the scenario is the one that Apache Hadoop 3.4.3 gave when `golden/` was written. To write it anew:
 * `npx vitest run -u -t 'HDFS 3.4.3' test/conformance/webhdfs.test.ts`.
 */
export function answering(subject: () => Subject): void {
  let answers: ReadonlyMap<string, readonly Answer[]>
  beforeAll(async () => {
    answers = await play(subject())
  })
  for (const section of [...Object.keys(sections), 'safe mode', 'standby']) {
    test(section, async () => {
      const lines = answers.get(section)?.map((answer) => `${JSON.stringify(answer)}\n`)
      const golden = join(import.meta.dirname, 'golden', `${section.replaceAll(' ', '-')}.ndjson`)
      await expect(lines?.join('')).toMatchFileSnapshot(golden)
    })
  }
}

/** The whole scenario, since each request meets what the ones before it left. */
async function play({ nameNode, standby, setSafeMode }: Subject): Promise<Map<string, Answer[]>> {
  await call(nameNode, 'DELETE', root, 'DELETE', { recursive: 'true' })
  const answers = new Map<string, Answer[]>()
  for (const [section, steps] of Object.entries(sections)) answers.set(section, await ask(nameNode, steps))
  await setSafeMode(true)
  answers.set('safe mode', await ask(nameNode, safeModeSteps))
  await setSafeMode(false)
  answers.set('standby', await ask(standby, standbySteps))
  return answers
}

async function ask(nameNode: string, steps: readonly Step[]): Promise<Answer[]> {
  const answers: Answer[] = []
  for (const step of steps) answers.push(await run(nameNode, step))
  return answers
}
