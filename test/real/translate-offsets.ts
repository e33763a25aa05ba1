import { join } from 'node:path'
import { compiled, type JavaProgram } from './java-lines.ts'
import { mirrorMakerLibraries } from './mirrormaker.ts'

/** MirrorMaker 2's own client library, which answers lines `bootstrap alias group`. */
export async function translateOffsetsProgram(): Promise<JavaProgram> {
  return {
    source: join(import.meta.dirname, 'kafka', 'TranslateOffsets.java'),
    libraries: await mirrorMakerLibraries(),
    options: ['-Dorg.slf4j.simpleLogger.defaultLogLevel=error']
  }
}

/** Compiles it, when that was not done before. */
export async function prepareTranslateOffsets(): Promise<void> {
  await compiled(await translateOffsetsProgram())
}
