// How one user stands, in one word, from the conditions that the controller tells; and who needs somebody first.
//
// Pure. The words themselves are in `parts/state.tsx`.
import type { Condition, User } from "./types";

export const STATES = [
  "stuck", "failed", "degraded", "paused", "waiting", "starting", "stopping", "unknown", "busy", "ready", "stopped",
] as const;
/** Whoever needs a person first comes first. */
export type State = (typeof STATES)[number];

export interface Standing {
  state: State;
  /** What is behind it, as the controller says it; empty where the word says all. */
  detail: string;
  since: string | null;
  /** When the controller tries again by itself. */
  next: string | null;
}

/** Whether somebody should have a look. */
export const needsAttention = (state: State) => state === "stuck" || state === "failed" || state === "degraded";

function condition(user: User, type: Condition["type"]): Condition {
  return user.conditions.find((each) => each.type === type)!;
}

export const holds = (user: User, type: Condition["type"]) => condition(user, type).status === "True";

/** Asked for many times of the same value, which never changes. */
const known = new WeakMap<User, Standing>();

export function standing(user: User): Standing {
  let found = known.get(user);
  if (!found) known.set(user, (found = judged(user)));
  return found;
}

function judged(user: User): Standing {
  const ready = condition(user, "Ready");
  const stalled = condition(user, "Stalled");
  const degraded = condition(user, "Degraded");
  const reconciling = condition(user, "Reconciling");
  const next = user.progress.next_try;
  const be = (state: State, told: Condition | null = null, detail = told?.message ?? ""): Standing =>
    ({ state, detail, since: told?.since ?? null, next: state === "waiting" ? next : null });

  if (ready.reason === "EngineUnreachable") return be("unknown", ready, "");
  if (ready.reason === "NodeLost") return be("unknown", ready);
  if (stalled.status === "True") return be("stuck", stalled);
  if (ready.status === "True") {
    if (degraded.status === "True" && degraded.reason !== "Recovering") return be("degraded", degraded);
    const busy = condition(user, "Busy");
    return busy.status === "True" ? be("busy", busy, "") : be("ready", null);
  }
  if (ready.reason === "Stopped" && degraded.status !== "True") return be("stopped", null);
  if (user.progress.doing && user.progress.error && !ends(user)) return { ...be("waiting", degraded), next: null }; // another try
  if (user.progress.doing) return be(ends(user) ? "stopping" : "starting", reconciling);
  if (user.paused) return be("paused", ready);
  if (reconciling.reason === "BackingOff") return be("waiting", degraded.status === "True" ? degraded : ready);
  if (ends(user)) return be("stopping", ready);
  if (ready.reason === "Starting" || ready.reason === "NotProbed" || ready.reason === "Restarting") return be("starting", ready);
  if (reconciling.reason === "Queued") return be("waiting", degraded.status === "True" ? degraded : ready);
  return degraded.status === "True" ? be("failed", degraded) : be("waiting", ready);
}

/** Whether what is wanted is that the session ends. */
const ends = (user: User) => user.desired?.state !== "running";

/** Conditions that somebody should know of though the session may well be ready: with what is unusual, each. */
export function remarks(user: User): Condition[] {
  return user.conditions.filter(
    ({ type, status, reason }) =>
      (type === "SessionReady" && reason === "SafeMode") ||
      (type === "SessionReady" && reason === "InterpreterDown") ||
      (type === "Enclosed" && status === "False") ||
      (type === "WithinQuota" && status === "False") ||
      (type === "Degraded" && reason === "Recovering"),
  );
}
