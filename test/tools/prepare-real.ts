/** Downloads and builds what only the real tier needs, before any test's clock runs: on a fresh machine that takes minutes. */
import { hasHive, prepareHive } from '../real/hive.ts'
import { hasHttpFs, httpFsLibraries } from '../real/httpfs.ts'
import { hasKafka, kafkaLibraries, oldestKafka } from '../real/kafka.ts'
import { hasMinio, minioBinary } from '../real/minio.ts'
import { hasMirrorMaker, mirrorMakerLibraries } from '../real/mirrormaker.ts'
import { hasMoto, motoPackages } from '../real/moto.ts'
import { hasParquetMr, prepareParquetMr } from '../real/parquet-mr.ts'
import { prepareTranslateOffsets } from '../real/translate-offsets.ts'
import { hasVersitygw, versitygwBinary } from '../real/versitygw.ts'

if (hasHive) await prepareHive()
if (hasHttpFs) await httpFsLibraries()
if (hasKafka) await kafkaLibraries(oldestKafka)
if (hasMinio) await minioBinary()
if (hasVersitygw) await versitygwBinary()
if (hasMirrorMaker) await mirrorMakerLibraries()
if (hasMirrorMaker) await prepareTranslateOffsets()
if (hasMoto) await motoPackages()
if (hasParquetMr) await prepareParquetMr()
