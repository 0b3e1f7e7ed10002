// What can be done to users: which of those that are chosen it concerns, what it writes, what it would end, and what is said
// afterwards. One change is one generation, however many users it names.
import { computed, signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { patch, post } from "../api";
import { now, status, users } from "../live";
import { Ask } from "../parts/ask";
import type { IconName } from "../parts/icon";
import { stateWords } from "../parts/state";
import { isRefused, toast, toastError } from "../parts/toast";
import { go, linkTo } from "../route";
import { holds, standing } from "../standing";
import type { User } from "../types";
import { ranges, span, words } from "../words";
import { askOffered, offered } from "./profiles";
import { t as shared } from "./words";

const t = words(
  {
    history: "History", undo: "Undo", undone: (generation: number) => `Undone, as generation ${generation}`,
    written: (generation: number) => `Written as generation ${generation}.`, same: "That is so already: nothing was written.",
    asked: {
      start: (who: string) => `Starting ${who}`, stop: (who: string) => `Stopping ${who}`, restart: (who: string) => `Restarting ${who}`, destroy: (who: string) => `Destroying ${who}`,
      pause: (who: string) => `Paused ${who}`, resume: (who: string) => `Resumed ${who}`, change: (who: string) => `Another profile for ${who}`,
    },
    who: (ids: string) => `user ${ids}`, whom: (ids: string, count: number) => `${count} users: ${ids}`,
    sessions: (count: number) => (count === 1 ? "1 session" : `${count} sessions`),
    title: {
      stop: (what: string) => `Stop ${what}?`, restart: (what: string) => `Restart ${what}?`, destroy: (what: string) => `Destroy ${what}?`, change: (what: string) => `Change the profile of ${what}`,
    },
    lost: "What is lost", stays: "What stays",
    variables: (count: number) => (count === 1 ? "The variables in the memory of the session that runs." : `The variables in the memory of the ${count} sessions that run.`),
    commands: (count: number) => (count === 1 ? "1 of them is busy: the command that it runs is broken off." : `${count} of them are busy: the commands that they run are broken off.`),
    nothing: "Nothing: none of them runs.",
    files: "The files in the data folders: always.", container: "The containers, stopped. They can be started again.", entry: "Nothing changes in the desired state but the time of the restart.",
    type: (count: number) => `Type ${count} to confirm`,
    remake: "With another image or environment a session is made anew and its variables are lost. More or fewer CPUs and memory are given to it while it runs.",
    profile: "Profile", apply: "Change",
    held: "This change waits for approval.", review: "Review it",
  },
  {
    history: "历史", undo: "撤销", undone: (generation: number) => `已撤销，为第 ${generation} 代`,
    written: (generation: number) => `已写入，为第 ${generation} 代。`, same: "已经如此：没有写入任何改动。",
    asked: {
      start: (who: string) => `正在启动${who}`, stop: (who: string) => `正在停止${who}`, restart: (who: string) => `正在重启${who}`, destroy: (who: string) => `正在销毁${who}`,
      pause: (who: string) => `已暂停${who}`, resume: (who: string) => `已恢复${who}`, change: (who: string) => `已更换${who}的配置档`,
    },
    who: (ids: string) => `用户 ${ids}`, whom: (ids: string, count: number) => ` ${count} 位用户：${ids}`,
    sessions: (count: number) => ` ${count} 个会话`,
    title: {
      stop: (what: string) => `停止${what}？`, restart: (what: string) => `重启${what}？`, destroy: (what: string) => `销毁${what}？`, change: (what: string) => `更换${what}的配置档`,
    },
    lost: "将会丢失", stays: "将会保留",
    variables: (count: number) => `${count} 个正在运行的会话在内存中的变量。`,
    commands: (count: number) => `其中 ${count} 个正忙：正在执行的命令会被中断。`,
    nothing: "没有：它们都未在运行。",
    files: "数据目录中的文件：始终保留。", container: "容器，处于停止状态，可以再次启动。", entry: "除重启时间外，期望状态不变。",
    type: (count: number) => `输入 ${count} 以确认`,
    remake: "若镜像或环境不同，会话将被重建，变量丢失；若只是 CPU 或内存不同，则在运行中直接调整。",
    profile: "配置档", apply: "更换",
    held: "此改动等待批准。", review: "查看",
  },
);

export const KINDS = ["start", "stop", "restart", "pause", "resume", "change", "destroy"] as const;
export type Kind = (typeof KINDS)[number];

export const DRAWN: Record<Kind, IconName> = { start: "play", stop: "stop", restart: "restart", destroy: "trash", pause: "pause", resume: "play", change: "profile" };

/** Whom it can be done to. */
export function concerns(kind: Kind, user: User): boolean {
  const desired = user.desired;
  switch (kind) {
    case "start":
      return desired?.state === "stopped";
    case "stop":
    case "restart":
      return desired?.state === "running";
    case "pause":
      return desired !== null && !desired.paused;
    case "resume":
      return desired?.paused === true;
    case "change":
    case "destroy":
      return desired !== null;
  }
}

type Entry = Record<string, string | boolean | null> | null;

const WRITES: Record<Exclude<Kind, "change">, Entry> = {
  start: { state: null },
  stop: { state: "stopped" },
  restart: { restart_at: "now" },
  destroy: null,
  pause: { paused: true },
  resume: { paused: null },
};

/** A rollback undoes these, and ends nothing by that. */
const UNDONE: readonly Kind[] = ["stop", "destroy", "pause", "resume"];

/** What is asked before anything is done; `null`: nothing. */
const asking = signal<{ kind: "stop" | "restart" | "destroy" | "change"; ids: readonly number[] } | null>(null);

/** Does it, or asks first where a session would end. */
export function act(kind: Kind, among: readonly User[]): void {
  const ids = among.filter((user) => concerns(kind, user)).map((user) => user.user_id);
  if (ids.length === 0) return;
  if (kind === "stop" || kind === "restart" || kind === "destroy" || kind === "change") asking.value = { kind, ids };
  else void write(kind, ids, WRITES[kind]).catch((error) => toastError(error));
}

async function write(kind: Kind, ids: readonly number[], entry: Entry): Promise<void> {
  const before = status.value?.generation ?? 0;
  const { generation } = await patch<{ generation: number }>("/v1/users", { users: Object.fromEntries(ids.map((id) => [id, entry])), force: true }); // what ends sessions was asked before
  if (generation <= before) {
    toast({ tone: "good", text: t.value.same });
    return;
  }
  const close = toast({
    tone: "good",
    text: t.value.asked[kind](whom(ids)),
    more: t.value.written(generation),
    actions: (
      <>
        {UNDONE.includes(kind) && <UndoButton generation={generation} done={() => close()} />}
        <a href={linkTo("history", generation)}>{t.value.history}</a>
      </>
    ),
  });
}

export const whom = (ids: readonly number[]) => (ids.length === 1 ? t.value.who(String(ids[0])) : t.value.whom(ranges(ids), ids.length));

/** A rollback takes back all that was written since: so it is offered only while that is this one change. */
function UndoButton({ generation, done }: { generation: number; done: () => void }) {
  const asked = useSignal(false);
  if ((status.value?.generation ?? generation) > generation) return null;
  const undo = async () => {
    asked.value = true;
    try {
      const back = await post<{ generation: number }>("/v1/rollback", { generation: generation - 1 });
      done();
      toast({ tone: "good", text: t.value.undone(back.generation) });
    } catch (error) {
      tellRefused(error);
      asked.value = false;
    }
  };
  return <button type="button" class="small" disabled={asked.value} onClick={undo}>{t.value.undo}</button>;
}

function tellRefused(error: unknown): void {
  if (!isRefused(error, "needs_approval")) return toastError(error);
  toast({ tone: "bad", text: t.value.held, actions: <a href={linkTo("desired")}>{t.value.review}</a> });
}

// ---------------------------------------------------------------- asking

export function Asking() {
  if (!asking.value) return null;
  return asking.value.kind === "change" ? <AskProfile ids={asking.value.ids} /> : <AskEnd kind={asking.value.kind} ids={asking.value.ids} />;
}

const close = () => (asking.value = null);
const present = (ids: readonly number[]) => ids.flatMap((id) => users.value?.get(id) ?? []);

function AskEnd({ kind, ids }: { kind: "stop" | "restart" | "destroy"; ids: readonly number[] }) {
  const typed = useSignal("");
  const meant = present(ids);
  const running = meant.filter((user) => user.observed.status === "running");
  const busy = running.filter((user) => holds(user, "Busy"));
  const what = ids.length === 1 ? t.value.who(String(ids[0])) : t.value.sessions(ids.length);
  const counted = kind !== "destroy" || ids.length === 1 || typed.value.trim() === String(ids.length);
  return (
    <Ask
      title={t.value.title[kind](what)}
      action={shared.value[kind]}
      danger
      ready={counted}
      run={() => unlessHeld(write(kind, ids, WRITES[kind]))}
      close={close}
    >
      <Named users={meant} />
      <h3>{t.value.lost}</h3>
      <ul class="told">
        {running.length === 0 && <li>{t.value.nothing}</li>}
        {running.length > 0 && <li>{t.value.variables(running.length)}</li>}
        {busy.length > 0 && <li class="bad"><strong>{t.value.commands(busy.length)}</strong></li>}
      </ul>
      <h3>{t.value.stays}</h3>
      <ul class="told">
        <li>{t.value.files}</li>
        {kind === "stop" && <li>{t.value.container}</li>}
        {kind === "restart" && <li>{t.value.entry}</li>}
      </ul>
      {kind === "destroy" && ids.length > 1 && (
        <label class="field">
          <span>{t.value.type(ids.length)}</span>
          <input inputMode="numeric" autocomplete="off" value={typed.value} onInput={(event) => (typed.value = event.currentTarget.value)} />
        </label>
      )}
    </Ask>
  );
}

function AskProfile({ ids }: { ids: readonly number[] }) {
  const chosen = useSignal("");
  const what = ids.length === 1 ? t.value.who(String(ids[0])) : t.value.sessions(ids.length);
  return (
    <Ask
      title={t.value.title.change(what)}
      action={t.value.apply}
      ready={chosen.value !== ""}
      run={() => unlessHeld(write("change", ids, { profile: chosen.value }))}
      close={close}
    >
      <Named users={present(ids)} />
      <ProfileChoice value={chosen.value} choose={(profile) => (chosen.value = profile)} />
      <p class="soft">{t.value.remake}</p>
    </Ask>
  );
}

/** What waits for approval is looked at elsewhere. */
async function unlessHeld(write: Promise<void>): Promise<void> {
  try {
    await write;
  } catch (error) {
    if (!isRefused(error, "needs_approval")) throw error;
    go("desired");
  }
}

/** Each by number, with the session that ends, and what it does at the moment. */
function Named({ users: meant }: { users: readonly User[] }) {
  return (
    <ul class="named" tabIndex={0} aria-label={shared.value.users(meant.length)}>
      {meant.map((user) => {
        const stands = standing(user);
        return (
          <li key={user.user_id}>
            <span class="number">{shared.value.user} {user.user_id}</span>
            <span class="soft mono">{user.desired?.session_id}</span>
            <span class={stands.state === "busy" ? "bad" : "soft"}>
              {stateWords.value[stands.state]}
              {stands.state === "busy" && stands.since && ` ${span(now.value - Date.parse(stands.since))}`}
            </span>
          </li>
        );
      })}
    </ul>
  );
}

const seenProfiles = computed(() => [...new Set([...(users.value?.values() ?? [])].flatMap((user) => user.desired?.profile ?? []))].sort());

/** What the operator offers; those that are seen, should that not be told. */
export function ProfileChoice({ value, choose, standard }: { value: string; choose: (profile: string) => void; standard?: string }) {
  useEffect(askOffered, []);
  const all = offered.value?.profiles ?? seenProfiles.value;
  return (
    <label class="field">
      <span>{t.value.profile}</span>
      <select value={value} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="" disabled={standard === undefined}>{standard ?? ""}</option>
        {all.map((each) => <option key={each} value={each}>{each}</option>)}
      </select>
    </label>
  );
}
