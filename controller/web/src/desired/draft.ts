// The text that somebody is at work on: what it was begun from, what it would do, and how it comes into force.
//
// It outlives the view, and a reload of the page. Whatever comes into force meanwhile, the controller merges the two from
// the state that this one was begun from, so nothing here has to.
import { batch, computed, effect, signal } from "@preact/signals";
import { get, post, put, Refused } from "../api";
import { status } from "../live";
import type { DesiredText, Problem, Planned } from "../types";
import type { Schema } from "./schema";

interface Begun { generation: number; text: string }

const KEPT = "desired.draft";
const QUIET = 300; // ms without a key, before a plan is asked for

/** What holds, and what lies there besides; `null` until it was read. */
export const held = signal<DesiredText | null>(null);
/** Why it could not be read. */
export const unread = signal<unknown>(null);
export const schema = signal<Schema | null>(null);

export const begun = signal<Begun | null>(null);
export const text = signal("");

export const changed = computed(() => begun.value !== null && text.value !== begun.value.text);
/** Another generation came into force since the draft was begun. */
export const overtaken = computed(() => changed.value && held.value !== null && begun.value!.generation < held.value.generation);
/** It is what waits for approval. */
export const waits = computed(() => changed.value && text.value === held.value?.waiting);
/** What lies there is neither in force nor what waits for approval: somebody has to mend it. */
export const broken = computed(() => {
  const desired = status.value?.desired_state;
  const waits = held.value?.refused != null && held.value.refused === held.value.waiting;
  return desired && !desired.valid && !waits ? desired : null;
});
/** The desired state is changed elsewhere only, by commits. */
export const readOnly = computed(() => status.value?.desired_state.git?.write === false);

/** What the text would do; `null`: not known yet, or there is nothing to know. */
export const planned = signal<Planned | null>(null);
export const unplanned = signal<unknown>(null);
export const planning = signal(false);
export const applying = signal(false);
/** Why the last attempt to apply it failed. */
export const refusal = signal<unknown>(null);

export const problems = computed<readonly Problem[]>(() => planned.value?.problems ?? []);

let opened = false;

/** Read it, and keep it up from now on. */
export function open(): void {
  if (opened) return;
  opened = true;
  const kept = sessionStorage.getItem(KEPT);
  if (kept) batch(() => ({ begun: begun.value, text: text.value } = JSON.parse(kept)));
  effect(() => {
    if (changed.value) sessionStorage.setItem(KEPT, JSON.stringify({ begun: begun.value, text: text.value }));
    else sessionStorage.removeItem(KEPT);
  });
  effect(() => void (changed.value ? addEventListener("beforeunload", ask) : removeEventListener("beforeunload", ask)));
  effect(() => void (moved.value && read()));
  effect(() => {
    const against = held.value?.generation; // what it would do changes with that as well
    if (changed.value && against !== undefined) planSoon(text.value, begun.value!.generation);
    else forget();
  });
}

const ask = (event: BeforeUnloadEvent) => event.preventDefault();

/** Changes with whatever makes the text that holds, lies there or waits another one. */
const moved = computed(() => {
  const now = status.value;
  return now && JSON.stringify([now.generation, now.desired_state.valid, now.desired_state.since, now.desired_state.problems, now.pending?.id]);
});

export async function read(): Promise<void> {
  try {
    const found = await get<DesiredText>("/v1/desired-state");
    schema.value ??= await get<Schema>("/v1/desired-state/schema").catch(() => null); // without it nothing is offered
    batch(() => {
      held.value = found;
      unread.value = null;
      if (!changed.value || saysTheSame(text.value, found.text)) settle();
    });
  } catch (error) {
    unread.value = error;
  }
}

/** But for the generation that each was edited from, which the controller keeps. */
function saysTheSame(one: string, other: string): boolean {
  const rest = (text: string) => text.replace(/^generation: *\d+/m, "generation:").replace(/\n\.\.\.\n?$/, "\n").trimEnd();
  return rest(one) === rest(other);
}

/** Give the draft up for what is in force. */
export function settle(): void {
  const { generation, text: found } = held.value!;
  batch(() => {
    begun.value = { generation, text: found };
    text.value = found;
    refusal.value = null;
  });
}

/** Go on from the text that lies there and cannot be taken. */
export function mend(): void {
  text.value = held.value!.refused!;
}

// ---------------------------------------------------------------- what it would do

let asked: AbortController | null = null;

function forget(): void {
  asked?.abort();
  batch(() => ((planned.value = unplanned.value = null), (planning.value = false)));
}

function planSoon(text: string, from: number): void {
  planning.value = true;
  const mine = begin();
  setTimeout(() => void (mine.signal.aborted || plan(text, from, mine)), QUIET);
}

function begin(): AbortController {
  asked?.abort();
  return (asked = new AbortController());
}

async function plan(text: string, from: number, mine: AbortController): Promise<void> {
  const found = await planOf(text, from).catch((error: unknown) => error);
  if (mine.signal.aborted) return;
  batch(() => {
    const good = !(found instanceof Error);
    planned.value = good ? (found as Planned) : null;
    unplanned.value = good ? null : found;
    planning.value = false;
  });
}

/** `from`: the generation that it was edited from; 0: none. */
export function planOf(text: string, from: number): Promise<Planned> {
  return post<Planned>("/v1/plan", from ? { text, generation: from } : { text });
}

/** The plan of the text as it stands now, without waiting for the keys to rest. */
export async function planNow(): Promise<Planned | null> {
  if (planning.value) await plan(text.value, begun.value!.generation, begin());
  return planned.value;
}

// ---------------------------------------------------------------- bringing it into force

/** What became of it: the generation that is in force, or a word. */
type Outcome = { generation: number } | "held" | "wrong" | "failed";

export async function apply(what = text.value): Promise<Outcome> {
  applying.value = true;
  refusal.value = null;
  try {
    const from = begun.value!.generation;
    const { generation } = await put<{ generation: number }>("/v1/desired-state", from ? { text: what, generation: from } : { text: what });
    held.value = await get<DesiredText>("/v1/desired-state");
    settle();
    return { generation };
  } catch (error) {
    if (error instanceof Refused && error.body.code === "needs_approval") return "held";
    if (error instanceof Refused && error.status === 422) {
      planned.value = { generation: held.value!.generation, actions: [], changes: [], held: "", problems: error.body.problems as Problem[] };
      return "wrong";
    }
    refusal.value = error;
    return "failed";
  } finally {
    applying.value = false;
  }
}
