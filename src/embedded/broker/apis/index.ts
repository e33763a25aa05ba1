import type { Api, Services } from '../api.ts'
import { createAclsApi, deleteAclsApi, describeAclsApi } from './acls.ts'
import { alterConfigsApis, describeConfigsApi } from './configs.ts'
import { fetchApi } from './fetch.ts'
import { offsetCommitApi, offsetFetchApi } from './group-offsets.ts'
import {
  deleteGroupsApi,
  describeGroupsApi,
  heartbeatApi,
  joinGroupApi,
  leaveGroupApi,
  listGroupsApi,
  syncGroupApi
} from './groups.ts'
import { apiVersionsApi, describeClusterApi, findCoordinatorApi, metadataApi } from './metadata.ts'
import { listOffsetsApi, offsetForLeaderEpochApi } from './offsets.ts'
import { produceApi } from './produce.ts'
import { alterReassignmentsApi, electLeadersApi, listReassignmentsApi } from './reassignments.ts'
import { createPartitionsApi, createTopicsApi, deleteRecordsApi, deleteTopicsApi } from './topics.ts'
import {
  describeProducersApi,
  describeTransactionsApi,
  listTransactionsApi,
  writeTxnMarkersApi
} from './transaction-admin.ts'
import {
  addOffsetsApi,
  addPartitionsApi,
  endTxnApi,
  initProducerIdApi,
  txnOffsetCommitApi
} from './transactions.ts'

/** Every API of the broker by its key. */
export function createApis(services: Services): ReadonlyMap<number, Api> {
  const create = [
    produceApi,
    fetchApi,
    listOffsetsApi,
    metadataApi,
    offsetCommitApi,
    offsetFetchApi,
    findCoordinatorApi,
    joinGroupApi,
    heartbeatApi,
    leaveGroupApi,
    syncGroupApi,
    describeGroupsApi,
    listGroupsApi,
    createTopicsApi,
    deleteTopicsApi,
    deleteRecordsApi,
    initProducerIdApi,
    offsetForLeaderEpochApi,
    addPartitionsApi,
    addOffsetsApi,
    endTxnApi,
    txnOffsetCommitApi,
    describeConfigsApi,
    createPartitionsApi,
    deleteGroupsApi,
    describeClusterApi,
    writeTxnMarkersApi,
    describeProducersApi,
    describeTransactionsApi,
    listTransactionsApi,
    electLeadersApi,
    alterReassignmentsApi,
    listReassignmentsApi,
    describeAclsApi,
    createAclsApi,
    deleteAclsApi
  ]
  const apis = new Map<number, Api>()
  const all = [...create.map((one) => one(services)), ...alterConfigsApis(services)]
  for (const api of [...all, apiVersionsApi(() => [...apis.values()])]) apis.set(api.key, api)
  return apis
}
