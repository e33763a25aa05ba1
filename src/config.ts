export { Secret } from './config/secret.ts'
export { topicMatcher } from './config/topics.ts'
export * from './config/types.ts'
