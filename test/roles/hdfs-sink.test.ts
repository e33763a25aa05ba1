import { sinkConformance } from '../conformance/sink.ts'

sinkConformance('hdfs')
