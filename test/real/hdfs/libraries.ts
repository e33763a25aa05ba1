import { join } from 'node:path'
import { jarsOf } from '../maven.ts'

/** The folder with the jars of HDFS 3.4.3. */
export function hdfsLibraries(): Promise<string> {
  return jarsOf('hdfs', join(import.meta.dirname, 'pom.xml'))
}
