/** Downloads what the tests need, before any test's clock runs: on a fresh machine that takes minutes. */
import { hasKafka, kafkaLibraries } from '../real/kafka.ts'
import { hasPython, pythonPackages } from './python.ts'

if (hasPython) await pythonPackages()
if (hasKafka) await kafkaLibraries()
