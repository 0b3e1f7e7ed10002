// Who is shown, in which order, and who is chosen. How somebody wants to look at a class outlives a reload.
import { batch, computed, effect, signal, type Signal } from "@preact/signals";
import { samples, users } from "../live";
import { needsAttention, standing, STATES, type State } from "../standing";
import type { Sample, User } from "../types";
import { said } from "../words";

export const COLUMNS = ["needs", "user", "state", "session", "profile", "uptime", "cpu", "memory", "disk"] as const;
export type Column = (typeof COLUMNS)[number];
export type Filter = State | "needs";

/** Their values change by themselves all the time. */
const RESTLESS: readonly Column[] = ["needs", "state", "cpu", "memory", "disk", "uptime"];

export const shape = kept<"table" | "grid">(localStorage, "shape", "table");
export const sort = kept<{ by: Column; down: boolean }>(localStorage, "sort", { by: "user", down: false });
export const filters = kept<Filter[]>(sessionStorage, "filters", []);
export const search = kept(sessionStorage, "search", "");
export const chosen = signal<ReadonlySet<number>>(new Set());

export const everybody = computed(() => [...(users.value?.values() ?? [])]);
export const counts = computed(() => {
  const found = new Map<Filter, number>([...STATES, "needs" as const].map((each) => [each, 0]));
  const add = (filter: Filter) => found.set(filter, found.get(filter)! + 1);
  for (const user of everybody.value) {
    const { state } = standing(user);
    add(state);
    if (needsAttention(state)) add("needs");
  }
  return found;
});

const found = computed(() => everybody.value.filter((user) => passes(user) && speaksOf(user, search.value)));

function passes(user: User): boolean {
  const { state } = standing(user);
  return filters.value.length === 0 || filters.value.some((each) => (each === "needs" ? needsAttention(state) : each === state));
}

/** Each word that was typed stands somewhere; a number alone is a user's. */
function speaksOf(user: User, typed: string): boolean {
  const asked = typed.trim().toLowerCase();
  if (/^\d+$/.test(asked)) return String(user.user_id).startsWith(asked) || (user.desired?.session_id ?? "").includes(asked);
  const text = [user.user_id, user.desired?.session_id, user.desired?.profile, standing(user).state, user.why, said(user.why)].join(" ").toLowerCase();
  return asked.split(/\s+/).every((word) => text.includes(word));
}

// ---------------------------------------------------------------- order

export const lastUsage = (all: readonly Sample[], user: User, which: 0 | 1): number | null => {
  if (user.observed.status !== "running") return null;
  const used = user.observed.usage;
  return all.at(-1)?.users[user.user_id]?.[which] ?? (used ? [used.cpu_percent, used.memory][which]! : null);
};

const KEYS: Record<Column, (user: User) => number | string> = {
  needs: (user) => STATES.indexOf(standing(user).state),
  user: (user) => user.user_id,
  state: (user) => STATES.indexOf(standing(user).state),
  session: (user) => user.desired?.session_id ?? "\uffff",
  profile: (user) => user.desired?.profile ?? "\uffff",
  uptime: (user) => -Date.parse(user.observed.container?.started_at ?? "9999-01-01T00:00:00Z"),
  cpu: (user) => lastUsage(samples.value, user, 0) ?? -1,
  memory: (user) => lastUsage(samples.value, user, 1) ?? -1,
  disk: (user) => user.observed.disk?.size ?? -1,
};

const sorted = computed(() => {
  const key = KEYS[sort.value.by];
  const way = sort.value.down ? -1 : 1;
  const keyed = found.value.map((user) => ({ user, at: key(user) }));
  keyed.sort((one, other) => (one.at === other.at ? one.user.user_id - other.user.user_id : (one.at < other.at ? -1 : 1) * way));
  return keyed.map((each) => each.user);
});

/** Somebody points at the list, or has chosen some of it: what is in it then stays where it is. */
export const held = signal(false);
const order = signal<readonly number[]>([]);
let arranged = "";

effect(() => {
  const wanted = sorted.value.map((each) => each.user_id);
  const how = JSON.stringify([sort.value, filters.value, search.value]);
  const still = (held.value || chosen.value.size > 0) && RESTLESS.includes(sort.value.by) && how === arranged;
  arranged = how;
  const had = order.peek();
  const next = still ? [...had.filter((id) => wanted.includes(id)), ...wanted.filter((id) => !had.includes(id))] : wanted;
  if (next.length !== had.length || next.some((id, at) => id !== had[at])) order.value = next;
});

export const listed = computed(() => order.value.flatMap((id) => users.value?.get(id) ?? []));

/** By this column, falling where high values are what one looks for; the other way round when asked again. */
export function sortBy(by: Column): void {
  const down = by === "cpu" || by === "memory" || by === "disk" || by === "uptime";
  sort.value = sort.value.by === by ? { by, down: !sort.value.down } : { by, down };
}

export function toggleFilter(filter: Filter): void {
  const had = filters.value;
  filters.value = had.includes(filter) ? had.filter((each) => each !== filter) : [...had, filter];
}

export function showAll(): void {
  batch(() => {
    filters.value = [];
    search.value = "";
  });
}

// ---------------------------------------------------------------- choice

let anchor: number | null = null;

/** Chooses one, or no longer; with `through`, everybody between the last one and this. */
export function choose(id: number, through = false): void {
  const next = new Set(chosen.value);
  const ids = listed.value.map((each) => each.user_id);
  if (through && anchor !== null && ids.includes(anchor)) {
    const [from, to] = [ids.indexOf(anchor), ids.indexOf(id)].sort((one, other) => one - other) as [number, number];
    for (const each of ids.slice(from, to + 1)) next.add(each);
  } else if (!next.delete(id)) next.add(id);
  anchor = id;
  chosen.value = next;
}

export function chooseListed(): void {
  chosen.value = new Set([...chosen.value, ...listed.value.map((each) => each.user_id)]);
}

export function chooseNobody(): void {
  anchor = null;
  chosen.value = new Set();
}

effect(() => {
  const there = users.value;
  if (there && [...chosen.value].some((id) => !there.has(id))) chosen.value = new Set([...chosen.value].filter((id) => there.has(id)));
});

function kept<V>(where: Storage, name: string, first: V): Signal<V> {
  const key = `dashboard.users.${name}`;
  const had = where.getItem(key);
  const value = signal<V>(had === null ? first : JSON.parse(had));
  value.subscribe((now) => where.setItem(key, JSON.stringify(now)));
  return value;
}
