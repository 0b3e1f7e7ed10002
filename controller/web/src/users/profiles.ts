// Which profiles the operator offers, and the highest user id: asked for when first needed, as the desired state's schema has it.
import { signal } from "@preact/signals";
import { get } from "../api";

interface Offered { profiles: readonly string[]; most: number }

export const offered = signal<Offered | null>(null);

interface Schema {
  $defs: { UserText: { properties: { profile: { enum: string[] } } } };
  properties: { users: { anyOf: [{ propertyNames: { enum: string[] } }, unknown] } };
}

let asked: Promise<void> | null = null;

/** Asks, unless that is done or under way. Where it fails there is less to choose from, and the next one asks again. */
export function askOffered(): void {
  if (offered.value) return;
  asked ??= get<Schema>("/v1/desired-state/schema")
    .then((schema) => {
      const ids = schema.properties.users.anyOf[0].propertyNames.enum.map(Number);
      offered.value = { profiles: schema.$defs.UserText.properties.profile.enum, most: Math.max(...ids) };
    })
    .catch(() => {})
    .finally(() => (asked = null));
}
