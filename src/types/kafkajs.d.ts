/**
 * The modules of kafkajs 2.2.4 that we import by path: it has no `exports` map and no types for them. Only what is used
 * is declared. A request's `decode` gives the error codes as data; its `parse`, which throws them, is never called.
 */
declare module 'kafkajs/src/network/connection.js' {
  export interface KafkajsLogger {
    namespace(name: string): KafkajsLogger
    debug(message: string, extra?: object): void
    info(message: string, extra?: object): void
    warn(message: string, extra?: object): void
    error(message: string, extra?: object): void
  }

  /** What kafkajs uses of a socket. */
  export interface KafkajsSocket {
    on(event: string, listener: (argument: never) => void): unknown
    write(data: Uint8Array, encoding?: string): unknown
    end(): unknown
    unref(): unknown
  }

  export interface ConnectionOptions {
    host: string
    port: number
    clientId: string
    logger: KafkajsLogger
    socketFactory: (options: { onConnect: () => void }) => KafkajsSocket
    requestTimeout: number
    connectionTimeout: number
    enforceRequestTimeout: boolean
    ssl: object | null
    sasl: { mechanism: string; username: string; password: string } | null
  }

  export default class Connection {
    constructor(options: ConnectionOptions)
    /** Its timers: the first polls for time-outs, the second loops every millisecond (kafkajs issue 1751). */
    readonly requestQueue: { scheduleCheckPendingRequests: () => void; destroy(): void }
    connect(): Promise<unknown>
    send<Decoded>(
      protocol: import('kafkajs/src/protocol/requests/index.js').Exchange<Decoded>
    ): Promise<Decoded>
    authenticate(): Promise<void>
    setVersions(versions: object): void
    setSupportAuthenticationProtocol(supported: boolean): void
    rejectRequests(error: Error): void
  }
}

declare module 'kafkajs/src/protocol/requests/index.js' {
  /** One request with its arguments bound, and how to read the answer. */
  export interface Exchange<Decoded> {
    readonly request: {
      readonly apiKey: number
      readonly apiVersion: number
      readonly apiName: string
      encode(): Promise<{ readonly buffer: Buffer }>
    }
    readonly response: { decode(body: Buffer): Promise<Decoded> }
  }

  /** All versions kafkajs knows of one API. */
  export interface Definition<Arguments, Decoded> {
    /** Decimal numbers. */
    readonly versions: readonly string[]
    protocol(options: { version: number }): (args: Arguments) => Exchange<Decoded>
  }

  export interface ErrorOnly {
    readonly errorCode: number
  }

  export interface ApiVersionsDecoded extends ErrorOnly {
    readonly apiVersions: readonly {
      readonly apiKey: number
      readonly minVersion: number
      readonly maxVersion: number
    }[]
  }

  export interface Requests {
    readonly ApiVersions: Definition<void, ApiVersionsDecoded>
    readonly GroupCoordinator: Definition<
      { groupId: string; coordinatorType: number },
      { errorCode: number; coordinator: { nodeId: number; host: string; port: number } }
    >
    readonly JoinGroup: Definition<
      {
        groupId: string
        sessionTimeout: number
        rebalanceTimeout: number
        memberId: string
        groupInstanceId: string
        protocolType: string
        groupProtocols: readonly { name: string; metadata: Buffer }[]
      },
      {
        errorCode: number
        generationId: number
        leaderId: string
        memberId: string
        members: readonly { memberId: string; memberMetadata: Buffer | null }[]
      }
    >
    readonly SyncGroup: Definition<
      {
        groupId: string
        generationId: number
        memberId: string
        groupInstanceId: string
        groupAssignment: readonly { memberId: string; memberAssignment: Buffer }[]
      },
      { errorCode: number; memberAssignment: Buffer | null }
    >
    readonly Heartbeat: Definition<
      { groupId: string; groupGenerationId: number; memberId: string; groupInstanceId: string },
      ErrorOnly
    >
    readonly LeaveGroup: Definition<
      { groupId: string; memberId: string; groupInstanceId: string },
      { errorCode: number; members: readonly ErrorOnly[] }
    >
    readonly ListOffsets: Definition<
      {
        replicaId: number
        isolationLevel: number
        topics: readonly {
          topic: string
          partitions: readonly { partition: number; timestamp: number }[]
        }[]
      },
      {
        responses: readonly {
          topic: string
          partitions: readonly { partition: number; errorCode: number; offset: string }[]
        }[]
      }
    >
    readonly InitProducerId: Definition<
      { transactionalId: string | null; transactionTimeout: number },
      { errorCode: number; producerId: string; producerEpoch: number }
    >
    readonly AddPartitionsToTxn: Definition<
      {
        transactionalId: string
        producerId: number
        producerEpoch: number
        topics: readonly { topic: string; partitions: readonly number[] }[]
      },
      {
        errors: readonly {
          topic: string
          partitionErrors: readonly { partition: number; errorCode: number }[]
        }[]
      }
    >
    readonly EndTxn: Definition<
      {
        transactionalId: string
        producerId: number
        producerEpoch: number
        transactionResult: boolean
      },
      ErrorOnly
    >
    readonly CreateTopics: Definition<
      {
        topics: readonly {
          topic: string
          numPartitions: number
          replicationFactor: number
          configEntries: readonly { name: string; value: string }[]
        }[]
        timeout: number
      },
      { topicErrors: readonly { topic: string; errorCode: number; errorMessage?: string | null }[] }
    >
    readonly DescribeConfigs: Definition<
      {
        resources: readonly { type: number; name: string; configNames: readonly string[] }[]
        includeSynonyms: boolean
      },
      {
        resources: readonly {
          errorCode: number
          errorMessage: string | null
          resourceName: string
          configEntries: readonly {
            configName: string
            configValue: string | null
            readOnly: boolean
            isSensitive: boolean
            /** 1: set for the topic itself. */
            configSource: number
          }[]
        }[]
      }
    >
    readonly AlterConfigs: Definition<
      {
        resources: readonly {
          type: number
          name: string
          configEntries: readonly { name: string; value: string }[]
        }[]
      },
      { resources: readonly { errorCode: number; errorMessage: string | null; resourceName: string }[] }
    >
    readonly CreatePartitions: Definition<
      { topicPartitions: readonly { topic: string; count: number }[]; timeout: number },
      { topicErrors: readonly { topic: string; errorCode: number; errorMessage: string | null }[] }
    >
    readonly DescribeAcls: Definition<
      {
        resourceType: number
        resourceName: string | null
        resourcePatternType: number
        principal: string | null
        host: string | null
        operation: number
        permissionType: number
      },
      {
        errorCode: number
        errorMessage: string | null
        resources: readonly {
          resourceType: number
          resourceName: string
          resourcePatternType: number
          acls: readonly { principal: string; host: string; operation: number; permissionType: number }[]
        }[]
      }
    >
    readonly CreateAcls: Definition<
      {
        creations: readonly {
          resourceType: number
          resourceName: string
          resourcePatternType: number
          principal: string
          host: string
          operation: number
          permissionType: number
        }[]
      },
      { creationResponses: readonly { errorCode: number; errorMessage: string | null }[] }
    >
  }

  const protocol: { readonly requests: Requests }
  export default protocol
}

declare module 'kafkajs/src/consumer/assignerProtocol.js' {
  const assignerProtocol: {
    readonly MemberMetadata: {
      encode(metadata: { version: number; topics: readonly string[]; userData: Buffer }): Buffer
      decode(buffer: Buffer): { version: number; topics: readonly string[]; userData: Buffer | null }
    }
    readonly MemberAssignment: {
      encode(assignment: {
        version: number
        assignment: Readonly<Record<string, readonly number[]>>
        userData: Buffer
      }): Buffer
      decode(buffer: Buffer): { version: number; userData: Buffer | null } | null
    }
  }
  export default assignerProtocol
}
