import { S3Error } from './errors.ts'
import { header, type Operation } from './operation.ts'

const ENCRYPTION = 'x-amz-server-side-encryption'
const KMS_KEY = 'x-amz-server-side-encryption-aws-kms-key-id'
const STORAGE_CLASS = 'x-amz-storage-class'
const CLASSES =
  'STANDARD REDUCED_REDUNDANCY STANDARD_IA ONEZONE_IA INTELLIGENT_TIERING GLACIER DEEP_ARCHIVE GLACIER_IR'.split(
    ' '
  )

/**
 * How a new object asks to be kept: encrypted (nothing is; it is remembered), in which class. A copy has what its own request
 * says and nothing of its source's (S3 API reference, CopyObject). Standard is what is not told.
 */
export function keeping(operation: Operation): Readonly<Record<string, string>> {
  const encryption = header(operation, ENCRYPTION)
  const key = header(operation, KMS_KEY)
  const storageClass = header(operation, STORAGE_CLASS)
  if (encryption !== undefined && encryption !== 'AES256' && encryption !== 'aws:kms') {
    throw new S3Error('InvalidArgument', 'The encryption method specified is not supported')
  }
  if (key !== undefined && encryption !== 'aws:kms') {
    throw new S3Error('InvalidArgument', 'A KMS key needs the encryption method aws:kms')
  }
  if (storageClass !== undefined && !CLASSES.includes(storageClass)) throw new S3Error('InvalidStorageClass')
  return {
    ...(encryption !== undefined && { [ENCRYPTION]: encryption }),
    ...(key !== undefined && { [KMS_KEY]: key }),
    ...(storageClass !== undefined && storageClass !== 'STANDARD' && { [STORAGE_CLASS]: storageClass })
  }
}

/** What the answer to a write repeats: how the object is encrypted. */
export function encryptionHeaders(kept: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(kept).filter(([name]) => name !== STORAGE_CLASS))
}
