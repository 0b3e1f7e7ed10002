// What happened, newest first: who did what, why, and what became of it.
import { useSignal } from "@preact/signals";
import { memo } from "preact/compat";
import { useEffect, useRef } from "preact/hooks";
import { tellWriter } from "../history/writer";
import { Empty } from "../parts/empty";
import { ErrorNote } from "../parts/error";
import { Icon, type IconName } from "../parts/icon";
import { useKeys } from "../parts/keys";
import type { Tone } from "../parts/pill";
import { Skeleton } from "../parts/skeleton";
import { Moment } from "../parts/time";
import { linkTo } from "../route";
import type { Happened } from "../types";
import { eventWords } from "../reasons";
import { said, words } from "../words";
import "./events.css";
import * as log from "./log";
import type { Kind } from "./log";

const t = words(
  {
    title: "Events", of: (count: number) => (count === 1 ? "1 event" : `${count} events`),
    kinds: {
      wish: "Desired state", conflict: "Conflict", brake: "Brake", action: "Action", session: "Session", engine: "Engine", node: "Node", token: "Token",
      webhook: "Webhook",
    } as Record<Kind, string>,
    kind: "Kinds", search: "Search the events", user: "User", everybody: "all", request: "request", withdraw: "Show all calls again",
    pause: "Pause", follow: "Follow", missed: (count: number) => (count === 1 ? "1 new" : `${count} new`), export: "Export",
    exportHint: "As JSON lines, those shown here", when: "When", what: "What", who: "Who", about: "About", generation: (number: number) => `generation ${number}`,
    older: "Show older ones", more: "Show more", all: "These are all that are kept.", userNumber: (id: number) => `user ${id}`,
    empty: "Nothing happened yet", emptyMore: "What is asked for, done and found will be listed here as it happens.",
    none: "No event is like that", noneMore: "Take a filter away to see more.", clear: "Clear the filters",
    follows: "Calls of this request only", pauseKey: "Pause or follow the events", searchKey: "Search the events",
  },
  {
    title: "事件", of: (count: number) => `${count} 条事件`,
    kinds: {
      wish: "期望状态", conflict: "冲突", brake: "刹车", action: "操作", session: "会话", engine: "引擎", node: "节点", token: "令牌",
      webhook: "Webhook",
    } as Record<Kind, string>,
    kind: "种类", search: "搜索事件", user: "用户", everybody: "全部", request: "请求", withdraw: "重新显示所有调用",
    pause: "暂停", follow: "跟随", missed: (count: number) => `${count} 条新事件`, export: "导出",
    exportHint: "把这里显示的事件存为 JSON 行", when: "时间", what: "事件", who: "来源", about: "有关", generation: (number: number) => `第 ${number} 代`,
    older: "显示更早的", more: "显示更多", all: "保留的都在这里了。", userNumber: (id: number) => `用户 ${id}`,
    empty: "还没有发生任何事", emptyMore: "要求了什么、做了什么、发现了什么，发生时都会列在这里。",
    none: "没有符合条件的事件", noneMore: "去掉一个筛选条件可以看到更多。", clear: "清除筛选",
    follows: "仅显示此请求的调用", pauseKey: "暂停或跟随事件", searchKey: "搜索事件",
  },
);

const ICONS: Record<Kind, IconName> = {
  wish: "desired", conflict: "warn", brake: "approve", action: "play", session: "users", engine: "engine", node: "engine", token: "lock",
  webhook: "warn",
};
const TONES: Record<string, Tone> = {
  ActionFailed: "bad", Refused: "bad", Lost: "bad", GaveUp: "bad", NotFenced: "bad", Fenced: "warn", NotReady: "warn", OverQuota: "warn", Held: "warn", Open: "warn", Merged: "warn",
  Ready: "good", Reached: "good", Enclosed: "good", ActionDone: "good", Approved: "good",
};
const AT_ONCE = 200; // rows in the page

export function EventsView() {
  const room = useSignal(AT_ONCE);
  const search = useRef<HTMLInputElement>(null);
  useEffect(log.open, []);
  useKeys([
    { keys: ["/"], about: t.value.searchKey, run: () => search.current?.focus() },
    { keys: ["p"], about: t.value.pauseKey, run: toggle },
  ]);
  const found = log.shown.value;
  const filtered = log.sought.value !== "" || log.kinds.value.size > 0 || log.user.value !== null || log.request.value !== "";
  return (
    <div class="events">
      <header class="view-head">
        <h1>{t.value.title}</h1>
        {found && <span class="soft number" aria-live="polite">{t.value.of(found.length)}</span>}
        <span class="spread" />
        <button type="button" class="follow" aria-pressed={log.pausedAt.value !== null} onClick={toggle}>
          <Icon name={log.pausedAt.value === null ? "pause" : "play"} />
          {log.pausedAt.value === null ? t.value.pause : t.value.follow}
          {log.missed.value > 0 && <span class="count number">{t.value.missed(log.missed.value)}</span>}
        </button>
        <button type="button" class="export" title={t.value.exportHint} aria-label={t.value.export} disabled={!found?.length} onClick={() => save(found!)}>
          <Icon name="down" /><span>{t.value.export}</span>
        </button>
      </header>
      <div class="filters">
        <input
          ref={search}
          type="search"
          placeholder={t.value.search}
          aria-label={t.value.search}
          value={log.sought.value}
          onInput={({ currentTarget }) => (log.sought.value = currentTarget.value)}
        />
        <label class="whose">
          {t.value.user}
          <input
            type="number"
            min={1}
            inputMode="numeric"
            placeholder={t.value.everybody}
            value={log.user.value ?? ""}
            onChange={({ currentTarget }) => log.about(/^[1-9]\d{0,2}$/.test(currentTarget.value) ? Number(currentTarget.value) : null)}
          />
        </label>
        <Kinds />
        {log.request.value && (
          <button type="button" class="sieve" aria-label={`${t.value.withdraw}: ${log.request.value}`} onClick={() => (log.request.value = "")}>
            {t.value.request} <code>{log.request.value}</code><Icon name="close" />
          </button>
        )}
      </div>
      {log.failed.value != null && <ErrorNote error={log.failed.value} retry={log.again} />}
      {!found && log.failed.value == null && <Skeleton rows={12} />}
      {found?.length === 0 && (filtered
        ? <Empty icon="search" title={t.value.none} actions={<button type="button" onClick={clear}>{t.value.clear}</button>}>{t.value.noneMore}</Empty>
        : <Empty icon="events" title={t.value.empty}>{t.value.emptyMore}</Empty>)}
      {found && found.length > 0 && <Rows found={found.slice(0, room.value)} />}
      {found && found.length > room.value
        ? <button type="button" class="older" onClick={() => (room.value += AT_ONCE)}>{t.value.more}</button>
        : found && (log.complete.value
          ? found.length > 10 && <p class="soft older">{t.value.all}</p>
          : <button type="button" class="older" disabled={log.loading.value} onClick={() => (room.value += AT_ONCE, log.older())}>{t.value.older}</button>)}
    </div>
  );
}

function toggle(): void {
  if (log.pausedAt.value === null) log.pause();
  else log.pausedAt.value = null;
}

function clear(): void {
  log.sought.value = log.request.value = "";
  log.kinds.value = new Set();
  if (log.user.value !== null) log.about(null);
}

function Kinds() {
  const chosen = log.kinds.value;
  const flip = (kind: Kind) => {
    const next = new Set(chosen);
    if (!next.delete(kind)) next.add(kind);
    log.kinds.value = next;
  };
  return (
    <div class="kinds" role="group" aria-label={t.value.kind}>
      {log.KINDS.map((kind) => (
        <button type="button" key={kind} class="sieve" aria-pressed={chosen.has(kind)} onClick={() => flip(kind)}>
          <Icon name={ICONS[kind]} />{t.value.kinds[kind]}<span class="count number">{log.counts.value.get(kind) ?? 0}</span>
        </button>
      ))}
    </div>
  );
}

function Rows({ found }: { found: readonly Happened[] }) {
  const seen = useRef(found[0]!.id);
  return (
    <table class="list">
      <thead>
        <tr>
          <th scope="col">{t.value.when}</th>
          <th scope="col">{t.value.about}</th>
          <th scope="col">{t.value.what}</th>
          <th scope="col">{t.value.who}</th>
        </tr>
      </thead>
      <tbody>
        {found.map((each) => <Row key={each.id} event={each} fresh={each.id > seen.current} spoken={t.value} />)}
      </tbody>
    </table>
  );
}

/** `spoken`: drawn anew when the language changes. */
const Row = memo(function Row({ event, fresh }: { event: Happened; fresh: boolean; spoken: unknown }) {
  const { at, kind, reason, message, user_id, generation, writer } = event;
  const request = log.requestIn(event);
  const tone = TONES[reason] ?? "off";
  const bare = writer && message.startsWith(`${writer}: `) ? message.slice(writer.length + 2) : message;
  const told = writer.startsWith("api ") ? bare.replace(writer, tellWriter(writer)) : bare;
  return (
    <tr class={fresh ? "fresh" : undefined}>
      <td class="when number"><Moment at={at} /></td>
      <td class="about">
        {user_id ? <a href={linkTo("users", user_id)}>{t.value.userNumber(user_id)}</a> : <span class="soft">{t.value.kinds[kind]}</span>}
        {generation ? <a class="soft number" href={linkTo("history", generation)}>{t.value.generation(generation)}</a> : null}
      </td>
      <td class="what">
        <span class={`word ${tone}`} title={t.value.kinds[kind]}><Icon name={ICONS[kind] ?? "info"} />{eventWords.value[reason] ?? reason}</span>
        <span>{said(told)}</span>
      </td>
      <td class="who">
        {writer && <span>{tellWriter(writer)}</span>}
        {request && (
          <button type="button" class="quiet small request" title={t.value.follows} aria-label={`${t.value.follows}: ${request}`} onClick={() => (log.request.value = request)}>
            <code>{request}</code>
          </button>
        )}
      </td>
    </tr>
  );
});

function save(found: readonly Happened[]): void {
  const lines = [...found].reverse().map((each) => `${JSON.stringify(each)}\n`);
  const address = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" }));
  Object.assign(document.createElement("a"), { href: address, download: `events-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.jsonl` }).click();
  URL.revokeObjectURL(address);
}
