import type { AnyActorRef, InspectionEvent } from 'xstate'

/**
 * An action that throws puts its machine into `error` while the machine's children keep running, out of reach of every
 * `stop()` (measured on xstate 5.33.3). A restarted role would then meet its own earlier life. Given to the root actor as
 * `inspect`, this stops the children of every actor that failed, after the failure has been handled.
 */
export function stopOrphans(event: InspectionEvent): void {
  if (event.type !== '@xstate.event' || !event.event.type.startsWith('xstate.error.actor.')) return
  const failed = event.sourceRef
  if (failed !== undefined) queueMicrotask(() => stopChildren(failed))
}

function stopChildren(actor: { readonly getSnapshot: () => unknown }): void {
  const { children } = actor.getSnapshot() as { readonly children?: Readonly<Record<string, AnyActorRef>> }
  for (const child of Object.values(children ?? {})) {
    if (child.getSnapshot().status !== 'active') continue
    stopChildren(child)
    child.send({ type: 'xstate.stop' })
  }
}
