import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mutations } from '../mutations/list.ts'

const root = join(import.meta.dirname, '../..')

test('every mutation finds its passage once, and names a test file that exists', () => {
  const stale = Object.entries(mutations).flatMap(
    ([
      name,
      {
        file,
        find,
        test: { file: testFile }
      }
    ]) => {
      const found = readFileSync(join(root, file), 'utf8').split(find).length - 1
      return found === 1 && existsSync(join(root, testFile)) ? [] : [`${name}: ${found} times in ${file}`]
    }
  )
  expect(stale).toEqual([])
})
