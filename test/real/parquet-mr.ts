import { join } from 'node:path'
import { compiled, JavaLines, type JavaProgram } from './java-lines.ts'
import { hasMaven, jarsOf } from './maven.ts'

/** parquet-mr, the reader of Spark and Hive. */
export const hasParquetMr = hasMaven

const folder = join(import.meta.dirname, 'parquet')

async function program(): Promise<JavaProgram> {
  const libraries = await jarsOf('parquet-mr', join(folder, 'pom.xml'))
  return { source: join(folder, 'ParquetMr.java'), libraries }
}

export async function prepareParquetMr(): Promise<void> {
  await compiled(await program())
}

/** Its reader, which answers the questions of ParquetMr.java. */
export async function startParquetMr(): Promise<JavaLines> {
  return await JavaLines.start(await program())
}
