import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { runAws } from '../../tools/awscli.ts'
import { type Bench, BUCKET, type Property } from './bench.ts'

/** Amazon's own command line client. */
export function awscli(property: Property): void {
  property(
    'a large file goes up in parts and comes back as it was',
    async (bench) => {
      const folder = folderOf()
      const Key = `${bench.fresh()}large`
      const content = randomBytes(9 * 1024 ** 2)
      writeFileSync(join(folder, 'up'), content)
      await aws(bench, ['s3', 'cp', '--quiet', join(folder, 'up'), `s3://${BUCKET}/${Key}`])
      await aws(bench, ['s3', 'cp', '--quiet', `s3://${BUCKET}/${Key}`, join(folder, 'down')])
      expect(hashOf(readFileSync(join(folder, 'down')))).toBe(hashOf(content))
      expect(await aws(bench, ['s3api', 'head-object', '--bucket', BUCKET, '--key', Key])).toMatchObject({
        ContentLength: content.length,
        // The parts of an upload show in its ETag.
        ETag: expect.stringMatching(/-2"$/)
      })
    },
    60_000
  )

  property(
    'a folder is synchronised there, listed and removed',
    async (bench) => {
      const folder = folderOf()
      const prefix = bench.fresh()
      mkdirSync(join(folder, 'from/a'), { recursive: true })
      for (const name of ['a/1', 'a/ü &', 'b']) writeFileSync(join(folder, 'from', name), name)
      const there = `s3://${BUCKET}/${prefix}`
      await aws(bench, ['s3', 'sync', '--quiet', join(folder, 'from'), there])
      expect(await bench.keys(prefix)).toEqual(['a/1', 'a/ü &', 'b'].map((name) => `${prefix}${name}`))
      await aws(bench, ['s3', 'sync', '--quiet', there, join(folder, 'to')])
      expect(readdirSync(join(folder, 'to'), { recursive: true }).sort()).toEqual(['a', 'a/1', 'a/ü &', 'b'])
      await aws(bench, ['s3', 'rm', '--quiet', '--recursive', there])
      expect(await bench.keys(prefix)).toEqual([])
    },
    60_000
  )

  property(
    'it pages, starts after a key, and reads a range',
    async (bench) => {
      const prefix = bench.fresh()
      for (const name of ['1', '2', '3', '4']) await bench.put(`${prefix}${name}`, `content ${name}`)
      const of = ['--bucket', BUCKET, '--prefix', prefix, '--start-after', `${prefix}1`, '--page-size', '2']
      const query = ['--query', 'Contents[].Key']
      const keys = await aws(bench, ['s3api', 'list-objects-v2', ...of, ...query])
      expect(keys).toEqual(['2', '3', '4'].map((name) => `${prefix}${name}`))
      const file = join(folderOf(), 'range')
      const object = ['--bucket', BUCKET, '--key', `${prefix}3`]
      await aws(bench, ['s3api', 'get-object', ...object, '--range', 'bytes=8-8', file])
      expect(readFileSync(file, 'utf8')).toBe('3')
    },
    60_000
  )

  property(
    'it creates a key once',
    async (bench) => {
      const object = ['--bucket', BUCKET, '--key', `${bench.fresh()}entry`]
      const create = ['s3api', 'put-object', ...object, '--if-none-match', '*']
      await aws(bench, create)
      const { code, stderr } = await runAws(bench.access, create)
      expect(code).not.toBe(0)
      expect(stderr).toContain('(PreconditionFailed) when calling the PutObject operation')
    },
    60_000
  )

  property(
    'it sets and reads tags',
    async (bench) => {
      const Key = `${bench.fresh()}tagged`
      await bench.put(Key, 'x')
      const object = ['--bucket', BUCKET, '--key', Key]
      const tagging = ['--tagging', 'TagSet=[{Key=class,Value=raw}]']
      await aws(bench, ['s3api', 'put-object-tagging', ...object, ...tagging])
      const tags = await aws(bench, ['s3api', 'get-object-tagging', ...object])
      expect(tags).toMatchObject({ TagSet: [{ Key: 'class', Value: 'raw' }] })
    },
    60_000
  )

  property(
    'it says what is absent',
    async (bench) => {
      const key = ['--key', `${bench.fresh()}absent`]
      const get = async (bucket: string) =>
        (await runAws(bench.access, ['s3api', 'get-object', '--bucket', bucket, ...key, '/dev/null'])).stderr
      expect(await get(BUCKET)).toContain('(NoSuchKey) when calling the GetObject operation')
      expect(await get('absent-bucket')).toContain('(NoSuchBucket) when calling the GetObject operation')
    },
    60_000
  )
}

/** What it printed, parsed. */
async function aws(bench: Bench, args: readonly string[]): Promise<unknown> {
  const { code, stdout, stderr } = await runAws(bench.access, args)
  if (code !== 0) throw new Error(`aws ${args.join(' ')} ended with ${code}: ${stderr}`)
  return stdout.trim() === '' ? undefined : JSON.parse(stdout)
}

function folderOf(): string {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-aws-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

function hashOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}
