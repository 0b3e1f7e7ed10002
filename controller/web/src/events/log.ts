// What happened, as far as it was asked for: the past in pages, the present as it comes, both of everybody or of one user.
import { batch, computed, effect, signal } from "@preact/signals";
import { get } from "../api";
import { happened } from "../live";
import type { Happened } from "../types";
import { said } from "../words";

export const KINDS = ["wish", "conflict", "brake", "action", "session", "engine", "node", "token", "webhook"] as const;
export type Kind = (typeof KINDS)[number];

const PAGE = 500;
const MOST = 10_000; // that the controller tells at once

/** Whose; `null`: everybody's. */
export const user = signal<number | null>(null);
/** Of which kinds; none chosen: all. */
export const kinds = signal<ReadonlySet<Kind>>(new Set());
/** What has to stand somewhere in it. */
export const sought = signal("");
/** The call that it came from. */
export const request = signal("");
/** Where the list stands still: what comes after this one is only counted. */
export const pausedAt = signal<number | null>(null);

const wanted = signal(PAGE);
const past = signal<readonly Happened[] | null>(null);
export const complete = signal(false);
export const failed = signal<unknown>(null);
export const loading = signal(false);

/** All that is known of whom it is asked for, oldest first. */
const all = computed<readonly Happened[] | null>(() => {
  if (!past.value) return null;
  const known = new Set(past.value.map(({ id }) => id));
  const mine = happened.value.filter((each) => !known.has(each.id) && (user.value === null || each.user_id === user.value));
  return mine.length ? [...past.value, ...mine].sort((one, other) => one.id - other.id) : past.value;
});

const fits = (each: Happened) => {
  const words = sought.value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = `${each.reason} ${each.message} ${said(each.message)} ${each.writer} ${each.container ?? ""} ${each.request_id ?? ""}`.toLowerCase();
  return words.every((word) => text.includes(word)) && (!request.value || requestIn(each) === request.value);
};
const listed = computed(() => all.value?.filter((each) => pausedAt.value === null || each.id <= pausedAt.value).filter(fits) ?? null);

/** How many there are of each kind, whichever are chosen. */
export const counts = computed(() => {
  const found = new Map<string, number>();
  for (const { kind } of listed.value ?? []) found.set(kind, (found.get(kind) ?? 0) + 1);
  return found;
});
/** What is to be shown, newest first; `null`: nothing is known yet. */
export const shown = computed(() => listed.value?.filter(({ kind }) => !kinds.value.size || kinds.value.has(kind)).reverse() ?? null);
/** What came since the list stands still. */
export const missed = computed(() => (pausedAt.value === null ? 0 : (all.value ?? []).filter(({ id }) => id > pausedAt.value!).filter(fits).length));

/** The id of the call that it came from: its own field, or where the writer's line has it. */
export function requestIn({ request_id, writer }: Happened): string {
  return request_id ?? /^api (\S+?)(?:,|$)/.exec(writer)?.[1] ?? "";
}

export function pause(): void {
  pausedAt.value = all.value?.at(-1)?.id ?? 0;
}

/** Keep up what was asked for; call what is returned to let it be. */
export function open(): () => void {
  return effect(() => void ask(user.value, wanted.value));
}

export function about(whose: number | null): void {
  batch(() => ([user.value, wanted.value, past.value, pausedAt.value] = [whose, PAGE, null, null]));
}

/** Ids have gaps where older ones were dropped, so that only a longer list is sure to reach further back. */
export function older(): void {
  wanted.value = Math.min(MOST, 3 * wanted.value);
}

async function ask(whose: number | null, limit: number): Promise<void> {
  loading.value = true;
  try {
    const { events } = await get<{ events: Happened[] }>(`/v1/events?limit=${limit}${whose === null ? "" : `&user_id=${whose}`}`);
    if (user.value !== whose || wanted.value !== limit) return;
    batch(() => ((past.value = events), (complete.value = events.length < limit || limit === MOST), (failed.value = null)));
  } catch (error) {
    failed.value = error;
  } finally {
    loading.value = false;
  }
}

export const again = () => ask(user.value, wanted.value);
