import { sinkConformance } from '../conformance/sink.ts'

sinkConformance('s3')
