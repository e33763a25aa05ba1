import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

export const dockerfilePath = join(import.meta.dirname, '..', '..', 'Dockerfile')

export interface Stage {
  readonly from: string
  readonly instructions: readonly Instruction[]
}

export interface Instruction {
  readonly keyword: string
  readonly value: string
}

/** The stages of our Dockerfile; comments go, continued lines are joined (Dockerfile reference, "Format"). */
export async function readDockerfile(): Promise<Stage[]> {
  const text = await readFile(dockerfilePath, 'utf8')
  const lines = text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
  const stages: { from: string; instructions: Instruction[] }[] = []
  for (const line of lines) {
    const [, keyword, value] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? []
    if (keyword === undefined || value === undefined) continue
    if (keyword === 'FROM') stages.push({ from: value, instructions: [] })
    else stages.at(-1)?.instructions.push({ keyword, value })
  }
  return stages
}

/** The last instruction of a kind in a stage, which is the one that counts. */
export function lastOf(stage: Stage | undefined, keyword: string): string {
  return stage?.instructions.findLast((instruction) => instruction.keyword === keyword)?.value ?? ''
}
