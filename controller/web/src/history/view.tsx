// The generations of the desired state, newest first, and one of them opened: what it changed, its text, and the way back.
import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { get } from "../api";
import { status } from "../live";
import { Empty } from "../parts/empty";
import { ErrorNote } from "../parts/error";
import { Pill } from "../parts/pill";
import { Skeleton } from "../parts/skeleton";
import { Moment } from "../parts/time";
import { linkTo, route } from "../route";
import type { GenerationTold } from "../types";
import { said, words } from "../words";
import { Opened } from "./generation";
import "./history.css";
import { tellWriter } from "./writer";

const t = words(
  {
    title: "History", of: (count: number) => (count === 1 ? "1 generation" : `${count} generations`), generation: "Generation", when: "When", who: "Written by",
    what: "What it changed", inForce: "in force", older: "Show older ones", empty: "Nothing was written yet",
    first: "The first change of the desired state makes generation 1.", choose: "Choose a generation to see what it changed, and to go back to it.",
    all: "These are all that are kept.",
  },
  {
    title: "历史", of: (count: number) => `${count} 代`, generation: "代", when: "时间", who: "写入者",
    what: "改动", inForce: "生效", older: "显示更早的", empty: "还没有写入过",
    first: "期望状态的第一次改动产生第 1 代。", choose: "选择一代，查看它改变了什么，或回到它。",
    all: "保留的都在这里了。",
  },
);

const AT_ONCE = 100;
const MOST = 1000; // that the controller keeps, and tells at once

export function HistoryView() {
  const generations = useSignal<readonly GenerationTold[] | null>(null);
  const wanted = useSignal(AT_ONCE);
  const failed = useSignal<unknown>(null);
  const newest = useComputed(() => status.value?.generation ?? 0);
  const { id } = route.value;

  const load = async () => {
    try {
      generations.value = (await get<{ generations: GenerationTold[] }>(`/v1/history?limit=${wanted.value}`)).generations;
      failed.value = null;
    } catch (error) {
      failed.value = error;
    }
  };
  useEffect(() => void load(), [newest.value, wanted.value]);

  const list = generations.value;
  return (
    <div class={id ? "history opened" : "history"}>
      <section class="generations" aria-labelledby="history-title">
        <header class="view-head">
          <h1 id="history-title">{t.value.title}</h1>
          {list && <span class="soft number" aria-live="polite">{t.value.of(list.length)}</span>}
        </header>
        {failed.value != null && <ErrorNote error={failed.value} retry={load} />}
        {!list && failed.value == null && <Skeleton rows={10} />}
        {list?.length === 0 && <Empty icon="history" title={t.value.empty}>{t.value.first}</Empty>}
        {list && list.length > 0 && <List list={list} chosen={id} />}
        {list && list.length >= wanted.value && wanted.value < MOST
          ? <button type="button" class="older" onClick={() => (wanted.value = Math.min(MOST, wanted.value * 3))}>{t.value.older}</button>
          : list && list.length > 10 && <p class="soft older">{t.value.all}</p>}
      </section>
      {id
        ? <Opened key={id} number={id} />
        : list && list.length > 0 && <div class="opened-none"><Empty icon="history" title={t.value.choose} /></div>}
    </div>
  );
}

function List({ list, chosen }: { list: readonly GenerationTold[]; chosen: number | null }) {
  const body = useRef<HTMLTableSectionElement>(null);
  const seen = useRef(list[0]!.generation);
  const step = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key];
    if (!by) return;
    const links = [...body.current!.querySelectorAll<HTMLAnchorElement>("a")];
    links[links.indexOf(document.activeElement as HTMLAnchorElement) + by]?.focus();
    event.preventDefault();
  };
  return (
    <table class="list" onKeyDown={step}>
      <thead>
        <tr>
          <th scope="col">{t.value.generation}</th>
          <th scope="col">{t.value.what}</th>
          <th scope="col">{t.value.who}</th>
          <th scope="col">{t.value.when}</th>
        </tr>
      </thead>
      <tbody ref={body}>
        {list.map((each) => (
          <tr key={each.generation} class={each.generation > seen.current ? "fresh" : undefined}>
            <th scope="row" class="number">
              <a href={linkTo("history", each.generation)} aria-current={each.generation === chosen || undefined}>{each.generation}</a>
            </th>
            <td class="what">
              <span>{said(each.summary)}</span>
              {each.in_force && <Pill tone="good" icon="check">{t.value.inForce}</Pill>}
            </td>
            <td class="who">{tellWriter(each.writer)}</td>
            <td class="when number"><Moment at={each.at} /></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
