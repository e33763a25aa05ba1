/**
 * Preloaded with `node --import`: breaks one module of ours on the fly, to prove that a test would notice.
 * `CAUSEWAY_MUTATION` names the mutation; one that no longer fits the source fails loudly.
 */
import { registerHooks } from 'node:module'
import { mutations } from './mutations.ts'

const name = process.env.CAUSEWAY_MUTATION ?? ''
const mutation = mutations[name]
if (mutation === undefined) throw new Error(`there is no mutation ${JSON.stringify(name)}`)

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    if (!url.endsWith(mutation.file)) return loaded
    const original = String(loaded.source)
    const parts = original.split(mutation.find)
    if (parts.length !== 2)
      throw new Error(`mutation ${name} fits ${mutation.file} ${parts.length - 1} times`)
    return { ...loaded, source: parts.join(mutation.replace) }
  }
})
