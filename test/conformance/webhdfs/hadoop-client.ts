import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebHdfs } from '../../../src/actors/hdfs/webhdfs.ts'
import { call } from './requests.ts'
import { SUPERUSER, type Subject } from './subject.ts'

const { signal } = new AbortController()
const home = 'webhdfs://pair/hadoop'

/** Hadoop's own client: `hdfs dfs` over `webhdfs://`, with both NameNodes of the pair in its configuration. */
export function hadoopClient(subject: () => Subject): void {
  let local: string
  beforeAll(async () => {
    local = mkdtempSync(join(tmpdir(), 'causeway-dfs-'))
    writeFileSync(join(local, 'one'), 'content of one\n')
    writeFileSync(join(local, 'two'), 'and two\n')
    await ok('-mkdir', '-p', `${home}/dir`)
    await ok('-put', join(local, 'one'), `${home}/one`)
  })
  afterAll(() => rmSync(local, { recursive: true, force: true }))

  /** The output of a command that must succeed, with the pair's name and the times taken out. */
  const ok = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await subject().dfs(args)
    expect(code, `${args.join(' ')}: ${stderr}`).toBe(0)
    return stdout.replaceAll('webhdfs://pair', '').replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d/g, 'TIME')
  }
  /** What a command says that must fail. */
  const refused = async (user: string, ...args: string[]): Promise<string> => {
    const { code, stderr } = await subject().dfs(args, user)
    expect(code, args.join(' ')).not.toBe(0)
    return stderr.replaceAll('webhdfs://pair', '').trim()
  }

  test('-put, -cat, -tail, -get and -ls', async () => {
    await ok('-put', join(local, 'two'), `${home}/two`)
    expect(await refused(SUPERUSER, '-put', join(local, 'two'), `${home}/two`)).toContain('File exists')
    await ok('-put', '-f', join(local, 'one'), `${home}/two`)
    expect(await ok('-cat', `${home}/one`, `${home}/two`)).toBe('content of one\n'.repeat(2))
    expect(await ok('-tail', `${home}/one`)).toBe('content of one\n')
    await ok('-get', `${home}/one`, join(local, 'back'))
    expect(readFileSync(join(local, 'back'), 'utf8')).toBe('content of one\n')
    expect(await ok('-ls', '-R', home)).toBe(
      [
        'drwxr-xr-x   - root supergroup          0 TIME /hadoop/dir',
        '-rw-r--r--   1 root supergroup         15 TIME /hadoop/one',
        '-rw-r--r--   1 root supergroup         15 TIME /hadoop/two\n'
      ].join('\n')
    )
  })

  test('-mv into a directory, to a new name, and refused onto a file; -cp', async () => {
    await ok('-cp', `${home}/one`, `${home}/moving`)
    await ok('-mv', `${home}/moving`, `${home}/dir`)
    await ok('-mv', `${home}/dir/moving`, `${home}/dir/moved`)
    expect(await refused(SUPERUSER, '-mv', `${home}/dir/moved`, `${home}/one`)).toContain('File exists')
    expect(await ok('-find', `${home}/dir`)).toBe('/hadoop/dir\n/hadoop/dir/moved\n')
    await ok('-rm', `${home}/dir/moved`)
    expect(await refused(SUPERUSER, '-rm', `${home}/dir/moved`)).toContain('No such file or directory')
  })

  test('-chmod, -chown, -setrep and -touch', async () => {
    await ok('-touchz', `${home}/attributes`)
    await ok('-chmod', '640', `${home}/attributes`)
    await ok('-chown', 'alice:people', `${home}/attributes`)
    await ok('-setrep', '2', `${home}/attributes`)
    await ok('-touch', '-m', '-t', '20200102:030405', `${home}/attributes`)
    // Milliseconds since 1970, in whatever zone the client reads the time.
    const hours = 3_600_000
    const stat = await ok('-stat', '%F %a %u %g %r %b %Y', `${home}/attributes`)
    expect(stat).toMatch(/^regular file 640 alice people 2 0 \d+\n$/)
    const modified = Number(stat.trim().split(' ').at(-1))
    expect(Math.abs(modified - Date.UTC(2020, 0, 2, 3, 4, 5))).toBeLessThanOrEqual(14 * hours)
    await ok('-rm', `${home}/attributes`)
  })

  test('permissions hold for other users', async () => {
    await ok('-mkdir', `${home}/closed`)
    await ok('-chmod', '700', `${home}/closed`)
    await ok('-chown', 'alice:people', `${home}/closed`)
    expect((await subject().dfs(['-touchz', `${home}/closed/file`], 'alice')).code).toBe(0)
    for (const args of [
      ['-ls', `${home}/closed`],
      ['-cat', `${home}/closed/file`],
      ['-put', join(local, 'one'), `${home}/closed/no`],
      ['-rm', `${home}/closed/file`],
      ['-chmod', '777', `${home}/closed`]
    ]) {
      expect(await refused('bob', ...args), args.join(' ')).toContain('Permission denied')
    }
    await ok('-rm', '-r', `${home}/closed`)
  })

  test('-appendToFile and -truncate', async () => {
    await ok('-put', join(local, 'one'), `${home}/growing`)
    await ok('-appendToFile', join(local, 'two'), `${home}/growing`)
    expect(await ok('-cat', `${home}/growing`)).toBe('content of one\nand two\n')
    await ok('-truncate', '0', `${home}/growing`)
    expect(await ok('-cat', `${home}/growing`)).toBe('')
    await ok('-rm', `${home}/growing`)
  })

  test('-checksum is the one of the content', async () => {
    await ok('-cp', `${home}/one`, `${home}/copy`)
    const sums = await ok('-checksum', `${home}/one`, `${home}/copy`)
    expect(sums.split('\n').map((line) => line.split('\t').slice(1))).toEqual([
      ['MD5-of-0MD5-of-512CRC32C', '000002000000000000000000e53dc3db845ff8e91d5580fb26281bd1'],
      ['MD5-of-0MD5-of-512CRC32C', '000002000000000000000000e53dc3db845ff8e91d5580fb26281bd1'],
      []
    ])
    await ok('-rm', `${home}/copy`)
  })

  test('-count with quotas, and a quota that refuses', async () => {
    await ok('-mkdir', `${home}/quota`)
    await call(subject().nameNode, 'PUT', '/hadoop/quota', 'SETQUOTA', { namespacequota: '3' })
    await ok('-put', join(local, 'one'), `${home}/quota/one`)
    const columns = (line: string) => line.trim().split(/\s+/)
    expect(columns(await ok('-count', '-q', `${home}/quota`))).toEqual(
      '3 1 none inf 1 1 15 /hadoop/quota'.split(' ')
    )
    expect(columns(await ok('-count', '-u', `${home}/quota`))).toEqual(
      '3 1 none inf /hadoop/quota'.split(' ')
    )
    await ok('-mkdir', `${home}/quota/dir`)
    const said = await refused(SUPERUSER, '-put', join(local, 'one'), `${home}/quota/three`)
    expect(said).toContain(
      'The NameSpace quota (directories and files) of directory /hadoop/quota is exceeded'
    )
    await ok('-rm', '-r', `${home}/quota`)
  })

  test('-rmdir wants an empty directory, -rm -r takes a full one', async () => {
    await ok('-mkdir', '-p', `${home}/full/below`)
    expect(await refused(SUPERUSER, '-rmdir', `${home}/full`)).toContain('Directory is not empty')
    expect(await refused(SUPERUSER, '-rm', `${home}/full`)).toContain('Is a directory')
    await ok('-rm', '-r', `${home}/full`)
    expect((await subject().dfs(['-test', '-e', `${home}/full`])).code).toBe(1)
  })

  test('reads what our client wrote, and our client reads what it wrote', async () => {
    const client = new WebHdfs({ namenodes: [subject().nameNode], user: SUPERUSER })
    await client.create('/hadoop/ours', [Buffer.from('ours'), Buffer.from(' in parts')], '444', signal)
    expect(await ok('-cat', `${home}/ours`)).toBe('ours in parts')
    expect((await client.open('/hadoop/one', signal))?.toString()).toBe('content of one\n')
    expect(await ok('-ls', `${home}/ours`)).toContain('-r--r--r--   1 root supergroup         13')
    client.close()
    await ok('-rm', `${home}/ours`)
  })

  test('the NameNodes change places, and it goes on', async () => {
    await subject().setActive('second')
    try {
      expect(await ok('-cat', `${home}/one`)).toBe('content of one\n')
      await ok('-put', '-f', join(local, 'two'), `${home}/after`)
    } finally {
      await subject().setActive('first')
    }
    expect(await ok('-cat', `${home}/after`)).toBe('and two\n')
  })
}
