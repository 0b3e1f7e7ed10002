// Users as chips that lead to them, and as the ranges that people write; and what a change would take from them.
import { useSignal } from "@preact/signals";
import { users } from "../live";
import { Icon } from "../parts/icon";
import { linkTo } from "../route";
import type { Step, User } from "../types";
import { words } from "../words";

const t = words(
  {
    user: (id: number | string) => `user ${id}`, busy: "busy", more: (count: number) => `${count} more`, fewer: "Fewer",
    lost: "Their variables and running commands are lost at once.",
    cutOff: (count: number) => (count === 1 ? "1 of them runs a command now; it is cut off." : `${count} of them run a command now; it is cut off.`),
  },
  {
    user: (id: number | string) => `用户 ${id}`, busy: "正忙", more: (count: number) => `还有 ${count} 个`, fewer: "收起",
    lost: "它们的变量和正在执行的命令会立即丢失。",
    cutOff: (count: number) => `其中 ${count} 个正在执行命令，命令会被中断。`,
  },
);

const AT_FIRST = 24;

export function grouped<T>(all: readonly T[], key: (one: T) => string): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const group = groups.get(key(one));
    if (group) group.push(one);
    else groups.set(key(one), [one]);
  }
  return [...groups];
}

const isBusy = (user: User | undefined) => user?.conditions.some(({ type, status }) => type === "Busy" && status === "True") ?? false;
export const busyOf = (ids: readonly number[]) => ids.filter((id) => isBusy(users.value?.get(id)));

/** Those whose session runs and would not live through these actions. */
export function endedBy(steps: readonly Step[]): number[] {
  const hard = new Set(steps.filter(({ action }) => ["stop", "remove", "restart"].includes(action)).map(({ user_id }) => user_id));
  const lives = (id: number) => ["running", "paused"].includes(users.value?.get(id)?.observed.container?.phase ?? "");
  return [...hard].filter(lives).sort((one, other) => one - other);
}

export function Chips({ ids }: { ids: readonly number[] }) {
  const all = useSignal(false);
  const shown = all.value ? ids : ids.slice(0, AT_FIRST);
  return (
    <span class="people">
      {shown.map((id) => {
        const busy = isBusy(users.value?.get(id));
        const said = `${t.value.user(id)}${busy ? `, ${t.value.busy}` : ""}`;
        return (
          <a key={id} class={busy ? "person busy" : "person"} href={linkTo("users", id)} title={said} aria-label={said}>
            {busy && <Icon name="busy" />}
            {id}
          </a>
        );
      })}
      {ids.length > AT_FIRST && (
        <button type="button" class="quiet small" aria-expanded={all.value} onClick={() => (all.value = !all.value)}>
          {all.value ? t.value.fewer : t.value.more(ids.length - AT_FIRST)}
        </button>
      )}
    </span>
  );
}

/** Whose sessions end, and what is lost with them. */
export function Loss({ ids }: { ids: readonly number[] }) {
  return (
    <>
      <Chips ids={ids} />
      <p>{t.value.lost} <CutOff ids={ids} /></p>
    </>
  );
}

/** How many of these sessions are at work; nothing where none is. */
export function CutOff({ ids }: { ids: readonly number[] }) {
  const busy = busyOf(ids).length;
  return busy ? <strong class="bad">{t.value.cutOff(busy)}</strong> : null;
}
