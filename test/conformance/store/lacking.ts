const NOT_ATOMIC = 'looking at a condition and writing are two steps: now and then two rivals win'

/** What a store cannot do, with the reason, by `Store on <subject>: <property>`. */
export const lackingOfStores: Readonly<Record<string, string>> = {
  'Store on moto: small files: of many that create one path at once, one succeeds': NOT_ATOMIC,
  'Store on moto: lost replies: writers that race and lose replies leave each offset in exactly one published file':
    NOT_ATOMIC
}

/** The same of sinks, by `sinks on <subject>: <property>`. */
export const lackingOfSinks: Readonly<Record<string, string>> = {
  'sinks on moto: two instances that commit one range at the same moment: one wins': NOT_ATOMIC
}
