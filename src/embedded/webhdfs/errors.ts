import type { Reply } from '../http-service.ts'

/** Hadoop's exceptions that this service throws: their Java classes and the status WebHDFS gives them. */
const classes = {
  AccessControlException: ['org.apache.hadoop.security.AccessControlException', 403],
  AlreadyBeingCreatedException: ['org.apache.hadoop.hdfs.protocol.AlreadyBeingCreatedException', 403],
  DSQuotaExceededException: ['org.apache.hadoop.hdfs.protocol.DSQuotaExceededException', 403],
  FileAlreadyExistsException: ['org.apache.hadoop.fs.FileAlreadyExistsException', 403],
  FileNotFoundException: ['java.io.FileNotFoundException', 404],
  HadoopIllegalArgumentException: ['org.apache.hadoop.HadoopIllegalArgumentException', 400],
  IllegalArgumentException: ['java.lang.IllegalArgumentException', 400],
  InvalidPathException: ['org.apache.hadoop.fs.InvalidPathException', 400],
  IOException: ['java.io.IOException', 403],
  NumberFormatException: ['java.lang.NumberFormatException', 400],
  NSQuotaExceededException: ['org.apache.hadoop.hdfs.protocol.NSQuotaExceededException', 403],
  ParentNotDirectoryException: ['org.apache.hadoop.fs.ParentNotDirectoryException', 403],
  PathIsNotDirectoryException: ['org.apache.hadoop.fs.PathIsNotDirectoryException', 403],
  PathIsNotEmptyDirectoryException: ['org.apache.hadoop.fs.PathIsNotEmptyDirectoryException', 403],
  RetriableException: ['org.apache.hadoop.ipc.RetriableException', 403],
  SafeModeException: ['org.apache.hadoop.hdfs.server.namenode.SafeModeException', 403],
  StandbyException: ['org.apache.hadoop.ipc.StandbyException', 403],
  UnsupportedOperationException: ['java.lang.UnsupportedOperationException', 400]
} as const satisfies Record<string, readonly [string, number]>

export type ExceptionName = keyof typeof classes

/** A Hadoop exception on its way to the client as `{"RemoteException": {…}}` (WebHDFS REST API, "Error Responses"). */
export class RemoteError extends Error {
  readonly exception: ExceptionName

  constructor(exception: ExceptionName, message: string) {
    super(message)
    this.exception = exception
  }
}

export function errorReply(error: RemoteError, headers: Headers): Reply {
  const [javaClassName, status] = classes[error.exception]
  return remoteReply(status, error.exception, javaClassName, error.message, headers)
}

/** An exception by status and name, as a fault rule gives them. */
export function faultReply(status: number, name: string | undefined, headers: Headers): Reply {
  const exception = name ?? 'IOException'
  const known = exception in classes ? classes[exception as ExceptionName][0] : `java.io.${exception}`
  return remoteReply(status, exception, known, 'Injected fault.', headers)
}

type Headers = Readonly<Record<string, string>>

/** The headers of errors, which differ. */
export const nameNodeHeaders: Headers = { 'content-type': 'application/json' }
export const dataNodeHeaders: Headers = {
  'content-type': 'application/json; charset=utf-8',
  connection: 'close'
}

function remoteReply(
  status: number,
  exception: string,
  javaClassName: string,
  message: string,
  headers: Headers
): Reply {
  const body = JSON.stringify({ RemoteException: { exception, javaClassName, message } })
  return { status, headers, body }
}
