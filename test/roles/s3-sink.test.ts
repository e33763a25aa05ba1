import { sinkConformance } from '../conformance/sink.ts'
import { SinkWorld } from '../support/sink-world.ts'

sinkConformance('s3', () => SinkWorld.start('s3'))
