// Who has a session, how each stands, and what can be done about it.
import { computed, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { link, users } from "../live";
import { Empty } from "../parts/empty";
import { Icon } from "../parts/icon";
import { useKeys } from "../parts/keys";
import { Menu } from "../parts/menu";
import { Pill } from "../parts/pill";
import { Skeleton } from "../parts/skeleton";
import { LOOKS, stateWords } from "../parts/state";
import { go, route } from "../route";
import { STATES } from "../standing";
import { words } from "../words";
import { act, Asking, concerns, DRAWN, KINDS, type Kind } from "./act";
import { Adding, adding } from "./add";
import { Cards } from "./cards";
import { Drawer } from "./drawer";
import {
  choose, chooseListed, chooseNobody, chosen, COLUMNS, counts, everybody, filters, listed, search, shape, showAll, sort, sortBy, toggleFilter, type Filter,
} from "./listed";
import { Table } from "./table";
import "./users.css";
import { t as shared } from "./words";

const t = words(
  {
    add: "Add users", search: "Search id, session, profile, state, reason", filter: "Show only", all: "All",
    shown: (count: number, of: number) => (count === of ? `${of} users` : `${count} of ${of} users`),
    table: "Table", grid: "Cards", shape: "Shown as", sort: "Sort", by: (column: string) => `Sorted by ${column}`, turn: "The other way round",
    nobody: "Nobody has a session yet", nobodyMore: "Add users here, or write them into the desired state.", desired: "Open the desired state",
    nothing: "Nobody is like that", nothingMore: "No user passes the search and the filters.", showAll: "Show everybody",
    chosen: (count: number) => `${count} chosen`, hidden: (count: number) => `${count} of them not shown`, chooseAll: (count: number) => `Choose all ${count}`, none: "Choose nobody", bulk: "What to do with the chosen",
    keys: { search: "Search", move: "To the next, to the one before", choose: "Choose", all: "Choose all that are shown", open: "Open the details", esc: "Close, or choose nobody", add: "Add users" },
  },
  {
    add: "添加用户", search: "搜索编号、会话、配置档、状态、原因", filter: "只显示", all: "全部",
    shown: (count: number, of: number) => (count === of ? `${of} 位用户` : `${of} 位用户中的 ${count} 位`),
    table: "表格", grid: "卡片", shape: "显示为", sort: "排序", by: (column: string) => `按${column}排序`, turn: "反向排序",
    nobody: "还没有人有会话", nobodyMore: "在此添加用户，或写入期望状态。", desired: "打开期望状态",
    nothing: "没有符合条件的用户", nothingMore: "没有用户符合当前的搜索与筛选。", showAll: "显示所有人",
    chosen: (count: number) => `已选 ${count} 位`, hidden: (count: number) => `其中 ${count} 位未显示`, chooseAll: (count: number) => `选择全部 ${count} 位`, none: "取消选择", bulk: "对所选用户的操作",
    keys: { search: "搜索", move: "下一位、上一位", choose: "选择", all: "选择所有显示的用户", open: "打开详情", esc: "关闭，或取消选择", add: "添加用户" },
  },
);

const narrow = matchMedia("(max-width: 760px)");
const isNarrow = signal(narrow.matches);
narrow.addEventListener("change", () => (isNarrow.value = narrow.matches));

export function UsersView() {
  const field = useRef<HTMLInputElement>(null);
  useUsersKeys(() => field.current!.focus());
  const id = route.value.id;
  return (
    <div class={id ? "users-view beside" : "users-view"}>
      <header class="users-head">
        <h1>{shared.value.title}</h1>
        <p class="soft number" aria-live="polite">{users.value && t.value.shown(listed.value.length, everybody.value.length)}</p>
        <span class="spread" />
        <label class="search">
          <Icon name="search" />
          <input
            ref={field} type="search" aria-label={t.value.search} placeholder={t.value.search} value={search.value}
            onInput={(event) => (search.value = event.currentTarget.value)}
            onKeyDown={(event) => event.key === "Escape" && (search.value ? (search.value = "") : event.currentTarget.blur())}
          />
          <kbd aria-hidden="true">/</kbd>
        </label>
        <SortMenu />
        {!isNarrow.value && <ShapeSwitch />}
        <button type="button" class="primary" onClick={() => (adding.value = true)}><Icon name="plus" />{t.value.add}</button>
      </header>
      <Filters />
      <List />
      <Bulk />
      {id && <Drawer key={id} id={id} />}
      <Asking />
      <Adding />
    </div>
  );
}

function List() {
  if (!users.value) return link.value === "lost" ? null : <Skeleton rows={12} />;
  if (everybody.value.length === 0) {
    return (
      <Empty
        icon="users"
        title={t.value.nobody}
        actions={
          <>
            <button type="button" class="primary" onClick={() => (adding.value = true)}><Icon name="plus" />{t.value.add}</button>
            <a class="button" href="#/desired">{t.value.desired}</a>
          </>
        }
      >
        {t.value.nobodyMore}
      </Empty>
    );
  }
  if (listed.value.length === 0) {
    return (
      <Empty icon="search" title={t.value.nothing} actions={<button type="button" onClick={showAll}>{t.value.showAll}</button>}>
        {t.value.nothingMore}
      </Empty>
    );
  }
  return isNarrow.value || shape.value === "grid" ? <Cards /> : <Table />;
}

function Filters() {
  const one = (filter: Filter) => {
    const count = counts.value.get(filter)!;
    const on = filters.value.includes(filter);
    if (!count && !on) return null;
    const look = filter === "needs" ? { tone: "bad" as const, icon: "warn" as const } : LOOKS[filter];
    return (
      <button key={filter} type="button" class="chip" aria-pressed={on} onClick={() => toggleFilter(filter)}>
        <Pill tone={look.tone} icon={look.icon}>{filter === "needs" ? shared.value.needs : stateWords.value[filter]}</Pill>
        <span class="number">{count}</span>
      </button>
    );
  };
  return (
    <div class="chips" role="group" aria-label={t.value.filter}>
      <button type="button" class="chip" aria-pressed={filters.value.length === 0} onClick={() => (filters.value = [])}>
        {t.value.all} <span class="number">{everybody.value.length}</span>
      </button>
      {one("needs")}
      {STATES.map(one)}
    </div>
  );
}

function SortMenu() {
  const word = (column: (typeof COLUMNS)[number]) => shared.value[column];
  const items = () => COLUMNS.map((column) => ({ text: word(column), checked: sort.value.by === column, run: () => sort.value.by !== column && sortBy(column) }));
  const turn = { text: t.value.turn, icon: "undo" as const, run: () => sortBy(sort.value.by) };
  return (
    <Menu label={t.value.by(word(sort.value.by))} class="" items={() => [...items(), turn]}>
      <Icon name={sort.value.down ? "down" : "up"} />{word(sort.value.by)}
    </Menu>
  );
}

function ShapeSwitch() {
  return (
    <div class="switch" role="group" aria-label={t.value.shape}>
      {(["table", "grid"] as const).map((each) => (
        <button key={each} type="button" class="square" aria-label={t.value[each]} title={t.value[each]} aria-pressed={shape.value === each} onClick={() => (shape.value = each)}>
          <Icon name={each} />
        </button>
      ))}
    </div>
  );
}

const picked = computed(() => everybody.value.filter((user) => chosen.value.has(user.user_id)));

function Bulk() {
  const count = chosen.value.size;
  if (count === 0) return null;
  const visible = listed.value.filter((user) => chosen.value.has(user.user_id)).length;
  const one = (kind: Kind) => {
    const concerned = picked.value.filter((user) => concerns(kind, user)).length;
    if (!concerned) return null;
    return (
      <button key={kind} type="button" class={kind === "destroy" ? "danger" : ""} onClick={() => act(kind, picked.value)}>
        <Icon name={DRAWN[kind]} />{shared.value[kind]}
        {concerned < count && <span class="number soft">{concerned}</span>}
      </button>
    );
  };
  return (
    <section class="bulk" aria-label={t.value.bulk}>
      <div class="bulk-count" aria-live="polite">
        <strong class="number">{t.value.chosen(count)}</strong>
        {visible < count && <span class="soft">{t.value.hidden(count - visible)}</span>}
        {visible < listed.value.length && <button type="button" class="quiet small" onClick={chooseListed}>{t.value.chooseAll(listed.value.length)}</button>}
      </div>
      <div class="bulk-actions">{KINDS.map(one)}</div>
      <button type="button" class="quiet square" aria-label={t.value.none} title={t.value.none} onClick={chooseNobody}><Icon name="close" /></button>
    </section>
  );
}

// ---------------------------------------------------------------- keyboard

const rowOf = (element: Element | null) => element?.closest<HTMLElement>("[data-user]") ?? null;

function useUsersKeys(toSearch: () => void): void {
  const move = (by: number) => {
    const rows = [...document.querySelectorAll<HTMLElement>(".users tbody tr, .card")];
    const at = rowOf(document.activeElement);
    const from = at ? rows.indexOf(at) : rows.findIndex((each) => each.dataset.user === String(route.value.id));
    const to = rows[from < 0 ? 0 : Math.max(0, Math.min(from + by, rows.length - 1))];
    to?.querySelector<HTMLElement>("a")?.focus();
    if (to && route.value.id) go("users", Number(to.dataset.user));
  };
  const chooseHere = () => {
    const row = rowOf(document.activeElement);
    if (!row || document.activeElement?.matches("button, input")) return false;
    choose(Number(row.dataset.user));
    return;
  };
  const k = t.value.keys;
  useKeys([
    { keys: ["/"], about: k.search, run: toSearch },
    { keys: ["j", "ArrowDown"], about: k.move, run: () => move(1) },
    { keys: ["k", "ArrowUp"], run: () => move(-1) },
    { keys: ["Enter"], about: k.open, run: () => false },
    { keys: ["x", " "], about: k.choose, run: chooseHere },
    { keys: ["a"], about: k.all, run: chooseListed },
    { keys: ["n"], about: k.add, run: () => void (adding.value = true) },
    { keys: ["Escape"], about: k.esc, run: () => (route.value.id ? leave() : chosen.value.size ? chooseNobody() : false) },
  ]);
  const id = route.value.id;
  const had = useRef<number | null>(null);
  useEffect(() => {
    if (had.current && !id) document.querySelector<HTMLElement>(`[data-user="${had.current}"] a`)?.focus();
    had.current = id;
  }, [id]);
}

/** Back to the list, on the row that one came from. */
function leave(): void {
  go("users");
}
