import { sinkConformance } from '../conformance/sink.ts'
import { SinkWorld } from '../support/sink-world.ts'

sinkConformance('hdfs', () => SinkWorld.start('hdfs'))
