// One generation: what it changed, how its text differs, and the way back to it, looked at before it is gone.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { get, post } from "../api";
import { planOf } from "../desired/draft";
import { busyOf, CutOff, endedBy } from "../desired/people";
import { Changes, Preview } from "../desired/preview";
import { status } from "../live";
import { Ask } from "../parts/ask";
import { CopyButton } from "../parts/copy";
import { ErrorNote } from "../parts/error";
import { Icon } from "../parts/icon";
import { useKeys } from "../parts/keys";
import { Pill } from "../parts/pill";
import { Skeleton } from "../parts/skeleton";
import { Moment, Since } from "../parts/time";
import { isRefused, toast } from "../parts/toast";
import { go, linkTo } from "../route";
import type { OneGeneration, Planned } from "../types";
import { words } from "../words";
import { Diff } from "./diff";
import { requestOf, tellWriter } from "./writer";

const t = words(
  {
    title: (number: number) => `Generation ${number}`, inForce: "in force", by: "Written by", when: "When", ago: "ago", request: "Request",
    back: "All generations", close: "Close", changes: "What it changed", text: "Text", unknown: "The generation before it is no longer kept.",
    nobody: "It changed no entry.", before: "The one before", current: "The one in force", against: "Compare with", alone: "Text alone",
    rollback: "Roll back to this…", copy: "the text",
    ask: (number: number) => `Roll back to generation ${number}?`,
    asks: "Its text comes into force again, comments and all, as a new generation; nothing of the history is lost.",
    now: (number: number) => `Roll back to ${number}`, nowEnds: (ends: number) => `Roll back, end ${ends}`,
    nowHeld: "Ask for approval",
    done: (number: number, now: number) => `Generation ${number} is in force again, as ${now}`,
    held: "The brake holds it: it waits for approval now", same: "The state in force says the same already",
    events: "What happened",
    unplanned: "What it would end is not known:",
  },
  {
    title: (number: number) => `第 ${number} 代`, inForce: "生效", by: "写入者", when: "时间", ago: "前", request: "请求编号",
    back: "所有代", close: "关闭", changes: "改动", text: "文本", unknown: "它的前一代已不再保留。",
    nobody: "没有改变任何条目。", before: "前一代", current: "生效的一代", against: "比较对象", alone: "仅文本",
    rollback: "回滚到此代……", copy: "文本",
    ask: (number: number) => `回滚到第 ${number} 代？`,
    asks: "它的文本（包括注释）作为新的一代重新生效；历史不会丢失。",
    now: (number: number) => `回滚到第 ${number} 代`, nowEnds: (ends: number) => `回滚，结束 ${ends} 个`,
    nowHeld: "提请批准",
    done: (number: number, now: number) => `第 ${number} 代重新生效，成为第 ${now} 代`,
    held: "刹车已拦下：正在等待批准", same: "生效的状态已与它一致",
    events: "发生了什么",
    unplanned: "无法得知会结束哪些会话：",
  },
);

type Against = "before" | "current" | "alone";

export function Opened({ number }: { number: number }) {
  const told = useSignal<OneGeneration | null>(null);
  const failed = useSignal<unknown>(null);
  const against = useSignal<Against>("before");
  const other = useSignal<OneGeneration | null>(null);
  const asks = useSignal(false);
  const heading = useRef<HTMLHeadingElement>(null);
  const current = status.value?.generation ?? 0;

  const load = () => void get<OneGeneration>(`/v1/history/${number}`).then(
    (found) => (told.value = found, failed.value = null),
    (error) => (failed.value = error),
  );
  useEffect(load, [number, current]);
  useEffect(() => heading.current?.focus(), [told.value !== null]);
  useEffect(() => {
    const which = against.value === "before" ? number - 1 : current;
    other.value = null;
    if (which < 1 || against.value === "alone") return;
    void get<OneGeneration>(`/v1/history/${which}`).then((found) => (other.value = found), () => undefined);
  }, [number, against.value, current]);
  useKeys([{ keys: ["Escape"], run: () => go("history") }]);

  if (failed.value != null) return <section class="generation"><Back /><ErrorNote error={failed.value} retry={load} /></section>;
  if (!told.value) return <section class="generation"><Skeleton rows={6} /></section>;

  const { at, writer, changes, in_force, text } = told.value;
  const request = requestOf(writer);
  const choices: [Against, string][] = [["before", t.value.before], ["current", t.value.current], ["alone", t.value.alone]];
  const base = against.value === "alone" ? text : other.value?.text;
  return (
    <section class="generation" aria-labelledby="generation-title">
      <Back />
      <header class="view-head">
        <h1 id="generation-title" tabIndex={-1} ref={heading}>{t.value.title(number)}</h1>
        {in_force && <Pill tone="good" icon="check">{t.value.inForce}</Pill>}
        <span class="spread" />
        {!in_force && <button type="button" onClick={() => (asks.value = true)}><Icon name="undo" />{t.value.rollback}</button>}
        <a class="button quiet square close" href={linkTo("history")} aria-label={t.value.close}><Icon name="close" /></a>
      </header>
      <dl class="signed">
        <div><dt>{t.value.by}</dt><dd>{tellWriter(writer)}</dd></div>
        <div><dt>{t.value.when}</dt><dd><Moment at={at} /> <span class="soft">(<Since at={at} /> {t.value.ago})</span></dd></div>
        {request && <div><dt>{t.value.request}</dt><dd><code>{request}</code></dd></div>}
      </dl>
      <h2>{t.value.changes}</h2>
      {changes === null ? <p class="soft">{t.value.unknown}</p> : changes.length ? <Changes changes={changes} /> : <p class="soft">{t.value.nobody}</p>}
      <div class="text-head">
        <h2>{t.value.text}</h2>
        <div class="choices" role="radiogroup" aria-label={t.value.against}>
          {choices.map(([which, word]) => (
            <label key={which} class={against.value === which ? "chosen" : undefined}>
              <input type="radio" name="against" checked={against.value === which} onChange={() => (against.value = which)} />
              {word}
            </label>
          ))}
        </div>
        <span class="spread" />
        <CopyButton text={text} what={t.value.copy} />
      </div>
      {against.value === "alone"
        ? <pre class="text" tabIndex={0}>{text}</pre>
        : base !== undefined && (against.value === "before"
          ? <Diff before={base} after={text} was={t.value.title(number - 1)} becomes={t.value.title(number)} />
          : <Diff before={text} after={base} was={t.value.title(number)} becomes={t.value.title(current)} />)}
      {against.value === "before" && number === 1 && <pre class="text" tabIndex={0}>{text}</pre>}
      {asks.value && <Rollback number={number} text={text} current={current} close={() => (asks.value = false)} />}
    </section>
  );
}

function Back() {
  return <a class="back" href={linkTo("history")}><Icon name="left" />{t.value.back}</a>;
}

function Rollback({ number, text, current, close }: { number: number; text: string; current: number; close: () => void }) {
  const planned = useSignal<Planned | null>(null);
  const unplanned = useSignal<unknown>(null);

  useEffect(() => {
    // as if somebody had just opened the state in force and put the old text there
    const asOfNow = text.replace(/^generation:( *)\d+/m, `generation:$1${current}`);
    void planOf(asOfNow, current).then((found) => (planned.value = found), (error) => (unplanned.value = error));
  }, [current]);

  const rollback = async () => {
    try {
      const { generation } = await post<{ generation: number }>("/v1/rollback", { generation: number });
      toast({ tone: "good", text: generation === current ? t.value.same : t.value.done(number, generation) });
      go("history", generation);
    } catch (error) {
      if (!isRefused(error, "needs_approval")) throw error;
      toast({ tone: "good", text: t.value.held });
      go("desired");
    }
  };

  const plan = planned.value;
  const ends = plan ? endedBy(plan.actions) : [];
  return (
    <Ask
      title={t.value.ask(number)}
      action={plan?.held ? t.value.nowHeld : ends.length ? t.value.nowEnds(ends.length) : t.value.now(number)}
      danger={ends.length > 0}
      ready={plan ? plan.problems.length === 0 : unplanned.value != null}
      wide
      run={rollback}
      close={close}
    >
      <p>{t.value.asks}</p>
      {plan ? <Preview planned={plan} /> : unplanned.value == null ? <Skeleton rows={5} /> : <><p>{t.value.unplanned}</p><ErrorNote error={unplanned.value} /></>}
      {busyOf(ends).length > 0 && <p><CutOff ids={ends} /></p>}
    </Ask>
  );
}
