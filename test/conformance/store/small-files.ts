import { expect } from 'vitest'
import type { Property } from './bench.ts'

/** Files that are written as a whole: the entries of the log, and hints. */
export function smallFiles(property: Property): void {
  property('the probe finds conditional writes and leaves nothing behind', async (bench) => {
    await bench.store.probe(bench.signal)
    expect(await bench.list('log/')).toEqual([])
  })

  property('what is created is read back, and created only once', async (bench) => {
    const { store, other, signal } = bench
    const path = bench.fresh()
    expect(await store.read(path, signal)).toBeUndefined()
    expect(await store.stat(path, signal)).toBeUndefined()
    expect(await store.create(path, Buffer.from('one'), signal)).toEqual({ outcome: 'created' })
    expect(await other.create(path, Buffer.from('two'), signal)).toEqual({ outcome: 'exists' })
    expect(await bench.text(path, other)).toBe('one')
    expect((await store.stat(path, signal))?.bytes).toBe(3)
  })

  property('of many that create one path at once, one succeeds', async (bench) => {
    const path = bench.fresh()
    const writers = Array.from({ length: 8 }, (_, index) =>
      (index % 2 ? bench.store : bench.other).create(path, Buffer.from(`writer ${index}`), bench.signal)
    )
    const outcomes = (await Promise.all(writers)).map(({ outcome }) => outcome)
    expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1)
    expect(await bench.text(path)).toBe(`writer ${outcomes.indexOf('created')}`)
  })

  property('replace writes whether or not the file exists', async (bench) => {
    const path = bench.fresh()
    await bench.store.replace(path, Buffer.from('one'), bench.signal)
    await bench.other.replace(path, Buffer.from('number two'), bench.signal)
    expect(await bench.text(path)).toBe('number two')
  })

  property('remove takes a file away, and an absent one is no error', async (bench) => {
    const { store, signal } = bench
    const path = bench.fresh()
    await store.create(path, Buffer.from('x'), signal)
    await store.remove(path, signal)
    await store.remove(path, signal)
    expect(await store.read(path, signal)).toBeUndefined()
  })

  property('listing is ascending by bytes, below the prefix, after the start', async (bench) => {
    const root = bench.fresh('list')
    const names = ['b/1', 'b/2', 'b.c', 'b-d', 'a', 'b/0/x', 'c+1', '~2E', 'Z', 'dt=1/hour=02/f']
    for (const name of names) await bench.store.create(`${root}/${name}`, Buffer.from(name), bench.signal)
    const all = names.map((name) => `${root}/${name}`).sort()
    const paths = async (prefix: string, startAfter?: string) =>
      (await bench.list(prefix, startAfter)).map(({ path }) => path)
    expect(await paths(`${root}/`)).toEqual(all)
    for (const name of ['b.c', 'b/0', 'b/1', 'b0', '', '~9']) {
      const after = `${root}/${name}`
      expect(await paths(`${root}/`, after), after).toEqual(all.filter((path) => path > after))
    }
    for (const prefix of [`${root}/b/`, `${root}/b`]) {
      expect(await paths(prefix)).toEqual(all.filter((path) => path.startsWith(prefix)))
    }
    expect(await paths(`${root}/none/`)).toEqual([])
    expect((await bench.list(`${root}/b/`)).map(({ bytes }) => bytes)).toEqual([5, 3, 3])
  })
}
