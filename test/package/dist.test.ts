import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, inject, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }

const dist = inject('dist')

test('the sums are right', () => {
  const said = execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], {
    cwd: dist,
    encoding: 'utf8'
  })
  expect(said).toBe('causeway: OK\ncauseway.tar.xz: OK\ncauseway.cdx.json: OK\nNOTICES.txt: OK\n')
})

test('the archive holds the executable with what belongs to it', () => {
  const names = [
    'NOTICES.txt',
    'LICENSE',
    'README.md',
    'causeway',
    'causeway.cdx.json',
    'config.example.toml'
  ]
  const listed = execFileSync('tar', ['--list', '--verbose', '--file', 'causeway.tar.xz'], {
    cwd: dist,
    encoding: 'utf8'
  })
  const lines = listed.trimEnd().split('\n')
  expect(lines.map((line) => line.split(' ').at(-1)).sort()).toEqual(
    names.map((name) => `causeway-${manifest.version}/${name}`).sort()
  )
  expect(lines.find((line) => line.endsWith('/causeway'))).toMatch(/^-rwxr-xr-x 0\/0 /)
})

test('the bill of materials names what is inside, once each, and no development tool', async () => {
  const bom = JSON.parse(await readFile(join(dist, 'causeway.cdx.json'), 'utf8'))
  expect(bom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.5' })
  const refs: string[] = bom.components.map((component: { 'bom-ref': string }) => component['bom-ref'])
  expect(new Set(refs).size).toBe(refs.length)
  const names = new Set(refs.map((ref) => ref.replace(/@[^@]*$/, '')))
  for (const name of ['kafkajs', 'xstate', 'pg', 'nodejs', 'postgresql']) expect(names).toContain(name)
  for (const name of ['esbuild', 'vitest', '@yao-pkg/pkg']) expect(names).not.toContain(name)
  expect(JSON.stringify(bom)).not.toMatch(/serialNumber|timestamp/)
})

test('every package in the bill has its licence in the notices', async () => {
  const bom = JSON.parse(await readFile(join(dist, 'causeway.cdx.json'), 'utf8'))
  const notices = await readFile(join(dist, 'NOTICES.txt'), 'utf8')
  for (const { name, version, purl } of bom.components) {
    if (String(purl).startsWith('pkg:npm')) expect(notices).toContain(`\n${name} ${version} (`)
  }
})
