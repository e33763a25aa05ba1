import { ofBorders } from './borders.ts'
import { ofColumns } from './columns.ts'
import { ofFiles } from './files.ts'
import { ofLayout } from './layout.ts'
import { ofMachines } from './machines.ts'
import { ofMirrors } from './mirrors.ts'
import type { Mutation } from './mutation.ts'
import { ofOffsets } from './offsets.ts'
import { ofRecords } from './records.ts'
import { ofSinks } from './sinks.ts'
import { ofStores } from './stores.ts'
import { ofTakeovers } from './takeovers.ts'
import { ofTopics } from './topics.ts'
import { ofTransactions } from './transactions.ts'
import { ofViews } from './views.ts'

/** All of them, by name. */
export const mutations: Readonly<Record<string, Mutation>> = {
  ...ofRecords,
  ...ofMachines,
  ...ofTransactions,
  ...ofMirrors,
  ...ofTopics,
  ...ofTakeovers,
  ...ofOffsets,
  ...ofSinks,
  ...ofStores,
  ...ofColumns,
  ...ofFiles,
  ...ofLayout,
  ...ofBorders,
  ...ofViews
}
