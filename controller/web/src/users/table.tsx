// The class as a table: a row for each user, in an order that holds still while the figures in it change.
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "../parts/icon";
import { StatePill } from "../parts/state";
import { linkTo, route } from "../route";
import { standing } from "../standing";
import type { User } from "../types";
import { words } from "../words";
import { Disk, Notes, OpenSession, Uptime, UsageCell } from "./cells";
import { choose, chooseListed, chooseNobody, chosen, held, listed, sort, sortBy, type Column } from "./listed";
import { MoreMenu } from "./more";
import { t as shared } from "./words";

const t = words(
  { caption: "Users and how they stand", all: "Choose all that are shown", choose: (id: number) => `Choose user ${id}`, by: "Sort by", actions: "Actions" },
  { caption: "用户及其状况", all: "选择所有显示的用户", choose: (id: number) => `选择用户 ${id}`, by: "排序：", actions: "操作" },
);

const SHOWN: readonly (Exclude<Column, "needs"> | "notes")[] = ["user", "state", "notes", "session", "profile", "uptime", "cpu", "memory", "disk"];

export function Table() {
  const all = listed.value;
  const every = all.length > 0 && all.every((user) => chosen.value.has(user.user_id));
  const some = !every && all.some((user) => chosen.value.has(user.user_id));
  const box = useRef<HTMLInputElement>(null);
  useEffect(() => void (box.current!.indeterminate = some));
  return (
    <table class="users" onPointerEnter={() => (held.value = true)} onPointerLeave={() => (held.value = false)}>
      <caption class="unseen">{t.value.caption}</caption>
      <thead>
        <tr>
          <th class="col-box" scope="col">
            <input ref={box} type="checkbox" aria-label={t.value.all} checked={every} onChange={() => (every ? chooseNobody() : chooseListed())} />
          </th>
          {SHOWN.map((each) => (each === "notes" ? <th key={each} class="col-notes" scope="col">{shared.value.notes}</th> : <Heading key={each} column={each} />))}
          <th class="col-actions" scope="col"><span class="unseen">{t.value.actions}</span></th>
        </tr>
      </thead>
      <tbody>
        {all.map((user) => (
          <Row key={user.user_id} user={user} isChosen={chosen.value.has(user.user_id)} isOpen={route.value.id === user.user_id} />
        ))}
      </tbody>
    </table>
  );
}

function Heading({ column }: { column: Exclude<Column, "needs"> }) {
  const by = sort.value.by === column;
  return (
    <th class={`col-${column}`} scope="col" aria-sort={by ? (sort.value.down ? "descending" : "ascending") : undefined}>
      <button type="button" class="quiet heading" title={`${t.value.by} ${shared.value[column]}`} onClick={() => sortBy(column)}>
        {shared.value[column]}
        {by && <Icon name={sort.value.down ? "down" : "up"} />}
      </button>
    </th>
  );
}

function Row({ user, isChosen, isOpen }: { user: User; isChosen: boolean; isOpen: boolean }) {
  const id = user.user_id;
  const stands = standing(user);
  const row = useTint<HTMLTableRowElement>(stands.state);
  const open = (event: MouseEvent) => {
    if ((event.target as HTMLElement).closest("a, button, input, [popover]") || String(getSelection())) return;
    if (event.shiftKey || event.ctrlKey || event.metaKey) choose(id, event.shiftKey);
    else location.hash = linkTo("users", id);
  };
  return (
    <tr ref={row} data-user={id} data-state={stands.state} class={`${isChosen ? "chosen" : ""} ${isOpen ? "open" : ""}`} onClick={open}>
      <td class="col-box">
        <input type="checkbox" aria-label={t.value.choose(id)} checked={isChosen} onClick={(event) => choose(id, event.shiftKey)} />
      </td>
      <th class="col-user number" scope="row"><a href={linkTo("users", id)}>{id}</a></th>
      <td class="col-state"><StatePill standing={stands} /></td>
      <td class="col-notes"><div class="notes"><Notes user={user} /></div></td>
      <td class="col-session mono" title={user.desired?.session_id ?? ""}>{user.desired?.session_id ?? <span class="soft">{shared.value.none}</span>}</td>
      <td class="col-profile" title={user.desired?.profile}>{user.desired?.profile ?? <span class="soft">{shared.value.notDeclared}</span>}</td>
      <td class="col-uptime number"><Uptime user={user} /></td>
      <td class="col-cpu number"><UsageCell user={user} which={0} /></td>
      <td class="col-memory number"><UsageCell user={user} which={1} /></td>
      <td class="col-disk number"><Disk user={user} /></td>
      <td class="col-actions"><OpenSession user={user} /><MoreMenu user={user} /></td>
    </tr>
  );
}

/** Something whose state has changed is tinted for a moment. */
export function useTint<E extends HTMLElement>(state: string) {
  const element = useRef<E>(null);
  const had = useRef(state);
  useEffect(() => {
    if (had.current === state) return;
    had.current = state;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    element.current?.animate([{ backgroundColor: "var(--accent-soft)" }, { backgroundColor: "transparent" }], { duration: 1600, easing: "ease-out" });
  }, [state]);
  return element;
}
