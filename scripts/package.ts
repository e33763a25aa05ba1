import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import manifest from '../package.json' with { type: 'json' }
import { LANE_ASSET, POSTGRES_PACK } from '../src/assets.ts'
import { archive, checksums } from './package/archive.ts'
import { bundle } from './package/bundle.ts'
import { makeExecutable, runtime, sourceAssets } from './package/executable.ts'
import { notices } from './package/notices.ts'
import { packPostgres } from './package/postgres.ts'
import { billOfMaterials } from './package/sbom.ts'

/**
 * `npm run package`: everything that is released, in `dist/`.
 *
 *     causeway            the program in one file: Node, the code, the page, PostgreSQL's programs for the demo
 *     causeway.tar.xz     the same with the licences, the example config and the bill of materials
 *     causeway.cdx.json   the bill of materials (CycloneDX 1.5)
 *     NOTICES.txt         licences of what is inside
 *     SHA256SUMS          of all of these
 */
const dist = join(import.meta.dirname, '..', 'dist')
const work = mkdtempSync(join(tmpdir(), 'causeway-package-'))
try {
  rmSync(dist, { recursive: true, force: true })
  mkdirSync(dist)
  const node = runtime()
  const { file, packages } = await bundle(join(work, 'causeway.cjs'))
  const lane = await bundle(join(work, 'lane.cjs'), 'src/lanes/thread.ts')
  const postgresVersion = await packPostgres(join(work, POSTGRES_PACK))
  const assets = {
    ...sourceAssets(),
    [LANE_ASSET]: lane.file,
    [POSTGRES_PACK]: join(work, POSTGRES_PACK)
  }
  await makeExecutable({ node, main: file, assets, output: join(dist, 'causeway'), work })
  writeFileSync(join(dist, 'NOTICES.txt'), notices(packages))
  writeFileSync(join(dist, 'causeway.cdx.json'), billOfMaterials({ packages, postgresVersion }))
  for (const name of ['LICENSE', 'README.md', 'config.example.toml']) {
    copyFileSync(join(dist, '..', name), join(work, name))
  }
  for (const name of ['causeway', 'NOTICES.txt', 'causeway.cdx.json']) {
    copyFileSync(join(dist, name), join(work, name))
  }
  archive(
    join(dist, 'causeway.tar.xz'),
    work,
    ['causeway', 'LICENSE', 'NOTICES.txt', 'README.md', 'causeway.cdx.json', 'config.example.toml'],
    `causeway-${manifest.version}`
  )
  const names = ['causeway', 'causeway.tar.xz', 'causeway.cdx.json', 'NOTICES.txt']
  writeFileSync(join(dist, 'SHA256SUMS'), checksums(dist, names))
  for (const name of names)
    console.log(`dist/${name}  ${(statSync(join(dist, name)).size / 2 ** 20).toFixed(1)} MiB`)
} finally {
  rmSync(work, { recursive: true, force: true })
}
