// Which profiles the operator offers, and the highest user id: asked for when first needed, as the controller describes itself.
import { signal } from "@preact/signals";
import { get } from "../api";

export interface Offered { profiles: readonly string[]; most: number }

export const offered = signal<Offered | null>(null);

interface Described { components: { schemas: { ProfileName: { enum: string[] }; UserId: { maximum: number } } } }

export async function askOffered(): Promise<void> {
  if (offered.value) return;
  const { schemas } = (await get<Described>("/openapi.json")).components;
  offered.value = { profiles: schemas.ProfileName.enum, most: schemas.UserId.maximum };
}
