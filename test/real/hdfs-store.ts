import { HdfsStore } from '../../src/actors/hdfs/store.ts'
import { type FaultRule, Faults, type SetFault } from '../../src/embedded/faults.ts'
import type { StoreUnderTest } from '../conformance/store.ts'
import { httpFraming } from '../tools/framing.ts'
import { TcpProxy } from '../tools/proxy.ts'
import { startHdfs } from './hdfs.ts'

const USER = 'causeway'

/** HDFS 3.4.3 as a store, its NameNode behind a proxy that plays the faults. */
export async function startHdfsStore(): Promise<StoreUnderTest> {
  const hdfs = await startHdfs({ superuser: USER })
  const port = Number(new URL(hdfs.nameNode.url).port)
  const proxy = await TcpProxy.start({ port, framing: httpFraming })
  const open = () => new HdfsStore({ namenodes: [`http://${proxy.address}`], path: '/lake', user: USER })
  const [store, other] = [open(), open()]
  return {
    store,
    other,
    faults: new ProxyFaults(proxy),
    subjects: { create: /\?op=RENAME&/, prepare: /^PUT [^?]*\?op=CREATE&/, publish: /\?op=RENAME&/ },
    keepsMetadata: false,
    stop: async () => {
      store.close()
      other.close()
      await proxy.stop()
      await hdfs.stop()
    }
  }
}

/** Fault rules, played by a proxy before a service that has none. Subjects are the proxy's names of requests. */
export class ProxyFaults extends Faults {
  readonly #proxy: TcpProxy

  constructor(proxy: TcpProxy) {
    super()
    this.#proxy = proxy
  }

  override add({ subject, action, after = 0, times = 1 }: FaultRule): SetFault {
    const { type } = action
    if (type === 'disk-full') throw new Error('a proxy fills no disk')
    const fault =
      type === 'delay'
        ? { delayMs: action.ms }
        : type === 'answer'
          ? { answer: { status: action.code } }
          : type
    return this.#proxy.set({ fault, match: subject, skip: after, times })
  }

  override clear(): void {
    this.#proxy.clear()
  }
}
