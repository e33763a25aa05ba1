/** `REQUIRE_SERVICES=1` makes a missing tool an error, so that a green run there means that nothing was left out. */
export const servicesRequired = process.env.REQUIRE_SERVICES === '1'

/** Says that a tool is missing: false for "leave those tests out", an error where services are required. */
export function toolMissing(tool: string): false {
  if (servicesRequired)
    throw new Error(`${tool} is missing, and REQUIRE_SERVICES=1 forbids leaving its tests out`)
  return false
}
