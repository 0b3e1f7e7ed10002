// The nodes of a swarm as they were last told. No stream tells of them: each look asks the managers, so they are looked at
// once when the page is opened, to know whether there are any, and again and again only while they are shown.
import { computed, signal } from "@preact/signals";
import { get, locked } from "../api";
import { status } from "../live";
import type { SwarmNodes } from "../types";

export const swarm = signal<SwarmNodes | null>(null);
export const failed = signal<unknown>(null);

/** There is more than one host: their view has a place among the others. */
export const isSwarm = computed(() => (swarm.value?.nodes.length ?? 0) > 0);

export async function look(): Promise<void> {
  try {
    swarm.value = await get<SwarmNodes>("/v1/nodes");
    failed.value = null;
  } catch (error) {
    failed.value = error;
  }
}

const there = computed(() => !locked.value && status.value?.engine.reachable === true);
there.subscribe((answers) => answers && void look());
