import { appendFileSync } from 'node:fs'
import type { Plugin } from 'vite'
import { mutations } from './list.ts'

/**
 * Breaks one module while vitest loads it: `CAUSEWAY_MUTATION` names the mutation, `CAUSEWAY_MUTATION_LOG` the file that
 * tells that it was applied. One that no longer fits the source exactly once fails loudly.
 */
export function mutating(): Plugin {
  const name = process.env.CAUSEWAY_MUTATION ?? ''
  const mutation = mutations[name]
  return {
    name: 'mutating',
    enforce: 'pre',
    transform(code, id) {
      if (mutation === undefined || !id.endsWith(mutation.file)) return undefined
      const parts = code.split(mutation.find)
      if (parts.length !== 2)
        throw new Error(`mutation ${name} fits ${mutation.file} ${parts.length - 1} times`)
      appendFileSync(process.env.CAUSEWAY_MUTATION_LOG ?? '/dev/null', `${name}\n`)
      return parts.join(mutation.replace)
    }
  }
}
