// The desired state as a text: what is in force, an editor for the next one, and beside it what that would do.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Diff } from "../history/diff";
import { status, users } from "../live";
import { Ask } from "../parts/ask";
import { Banner } from "../parts/banner";
import { CopyButton } from "../parts/copy";
import { Empty } from "../parts/empty";
import { ErrorNote } from "../parts/error";
import { Pill } from "../parts/pill";
import { Skeleton } from "../parts/skeleton";
import { Since } from "../parts/time";
import { toast } from "../parts/toast";
import { linkTo } from "../route";
import type { Problem, Status } from "../types";
import { words } from "../words";
import { Approval } from "./approval";
import "./desired.css";
import {
  apply, applying, begun, broken, changed, held, mend, open, overtaken, planned, planning, planNow, problems, read, readOnly, refusal, schema,
  settle, text, unplanned, unread, waits,
} from "./draft";
import type { Editor } from "./editor";
import { endedBy, Loss } from "./people";
import { gist, Preview, Problems } from "./preview";

const t = words(
  {
    title: "Desired state", generation: (number: number) => `generation ${number}`, inForce: "in force", notInForce: "file not in force",
    branch: (name: string) => `branch ${name}`, fetched: "fetched", ago: "ago",
    editor: "Text", preview: "What it would do",
    asInForce: "As in force", edited: (from: number) => `Edited from generation ${from}, not applied`, waits: "Waits for approval",
    apply: "Apply", discard: "Discard", trial: "Try a change", trialEnd: "End the trial", copy: "the text",
    type: "Change the text, and this shows what that would do before anything is done.",
    typeTitle: "Nothing changed yet",
    unplanned: "What it would do is not known", planning: "Looking what it would do…", stale: "Not of the last keystrokes yet",
    broken: "The file as it lies there is not in force",
    brokenMore: "Until it is mended, the last good text stays in force, shown below, and every session goes on.",
    mend: "Mend it here", restore: "Put the last good text back",
    restored: "The last good text is back in the file; the broken one is set aside beside it",
    readOnly: "Changed by commits only",
    readOnlyMore: (branch: string) => `The desired state follows ${branch}, and its settings say “write: false”. A change can be tried here, and its text copied into a commit.`,
    overtaken: (by: number) => `Generation ${by} came into force while you edit`,
    overtakenMore: (from: number) => `Your text began from generation ${from}. The controller merges the two, field by field: nothing is lost. Only where both changed the same field, yours is kept.`,
    show: "Show what came", hide: "Hide it", reload: "Discard mine, take the newer one",
    discardTitle: "Discard your text?", discardMore: "What you typed since it was last applied is lost.", discardNow: "Discard", keep: "Keep it",
    endTitle: (count: number) => (count === 1 ? "This ends 1 session" : `This ends ${count} sessions`),
    stays: "Every user's files stay.", applyEnds: (count: number) => `Apply, end ${count}`,
    heldTitle: "This will wait for approval", heldNow: "Ask for approval",
    blindTitle: "Apply without knowing what it ends?", blind: "The plan cannot be made now:", blindNow: "Apply all the same",
    applied: (generation: number) => `Generation ${generation} is in force`, same: "Nothing changed: the state in force says the same",
    history: "What it changed", heldToast: "The brake holds it: it waits for approval",
    unknownUser: "Has no session.",
  },
  {
    title: "期望状态", generation: (number: number) => `第 ${number} 代`, inForce: "生效", notInForce: "文件未生效",
    branch: (name: string) => `分支 ${name}`, fetched: "获取于", ago: "前",
    editor: "文本", preview: "会做什么",
    asInForce: "与生效的文本一致", edited: (from: number) => `从第 ${from} 代编辑而来，尚未应用`, waits: "等待批准",
    apply: "应用", discard: "放弃", trial: "试一试改动", trialEnd: "结束试改", copy: "文本",
    type: "修改文本，这里就会显示它会做什么；在应用之前，什么都不会发生。",
    typeTitle: "尚无改动",
    unplanned: "无法得知它会做什么", planning: "正在查看它会做什么……", stale: "尚未包含最近的输入",
    broken: "存放的文件未能生效",
    brokenMore: "修正之前，最后一份正确的文本（见下）继续生效，所有会话照常运行。",
    mend: "在此修正", restore: "恢复最后一份正确的文本",
    restored: "最后一份正确的文本已写回文件；有错的文本留在旁边",
    readOnly: "只能通过提交来修改",
    readOnlyMore: (branch: string) => `期望状态跟随${branch}，其设置为“write: false”。可以在这里试改，再把文本复制到提交中。`,
    overtaken: (by: number) => `编辑期间，第 ${by} 代已生效`,
    overtakenMore: (from: number) => `你的文本从第 ${from} 代开始编辑。控制器会按字段合并两者，不会丢失任何改动；只有双方改了同一字段时，才保留你的值。`,
    show: "显示新的改动", hide: "隐藏", reload: "放弃我的，采用新的",
    discardTitle: "放弃你的文本？", discardMore: "上次应用之后输入的内容会丢失。", discardNow: "放弃", keep: "保留",
    endTitle: (count: number) => `这会结束 ${count} 个会话`,
    stays: "每个用户的文件都会保留。", applyEnds: (count: number) => `应用，结束 ${count} 个`,
    heldTitle: "此改动要等待批准", heldNow: "提请批准",
    blindTitle: "不知道会结束什么，仍要应用？", blind: "现在无法得出计划：", blindNow: "仍然应用",
    applied: (generation: number) => `第 ${generation} 代已生效`, same: "没有变化：与生效的状态一致",
    history: "查看改动", heldToast: "刹车已拦下：正在等待批准",
    unknownUser: "没有会话。",
  },
);

export function DesiredView() {
  const asks = useSignal<"ends" | "discard" | null>(null);
  const editor = useRef<Editor | null>(null);
  const trial = useSignal(false);
  useEffect(open, []);

  const goTo = (problem: Problem) => editor.current?.goTo(problem);
  const put = async () => {
    const outcome = await apply();
    if (outcome === "held") {
      toast({ tone: "good", text: t.value.heldToast });
      lookAtApproval();
    } else if (outcome === "wrong") {
      if (problems.value[0]) goTo(problems.value[0]);
    } else if (typeof outcome === "object") {
      const link = <a href={linkTo("history", outcome.generation)}>{t.value.history}</a>;
      toast({ tone: "good", text: t.value.applied(outcome.generation), actions: link });
    }
  };
  const wish = async () => {
    if (!changed.value || waits.value || readOnly.value || applying.value) return;
    const plan = await planNow();
    if (plan?.problems.length) return goTo(plan.problems[0]!);
    if (!plan || plan.held || endedBy(plan.actions).length) asks.value = "ends";
    else await put();
  };

  const now = status.value;
  return (
    <div class="desired">
      <header class="view-head">
        <h1>{t.value.title}</h1>
        {now && <Standing now={now} />}
      </header>
      <Approval />
      <Broken goTo={goTo} />
      {readOnly.value && (
        <Banner
          tone="off"
          icon="lock"
          title={t.value.readOnly}
          actions={
            <>
              {trial.value && <CopyButton text={text.value} what={t.value.copy} />}
              <button type="button" onClick={() => (trial.value = !trial.value, trial.value || settle())}>
                {trial.value ? t.value.trialEnd : t.value.trial}
              </button>
            </>
          }
        >
          {t.value.readOnlyMore(now!.desired_state.source)}
        </Banner>
      )}
      <Overtaken reload={() => (asks.value = "discard")} />
      {refusal.value != null && <ErrorNote error={refusal.value} />}
      {unread.value != null && <ErrorNote error={unread.value} retry={read} />}
      <div class="bench">
        <section class="sheet" aria-label={t.value.editor}>
          <header>
            <span class={changed.value ? "dot" : undefined} role="status">
              {begun.value && (waits.value ? t.value.waits : changed.value ? t.value.edited(begun.value.generation) : t.value.asInForce)}
            </span>
            <span class="spread" />
            {changed.value && <button type="button" class="quiet" onClick={() => (asks.value = "discard")}>{t.value.discard}</button>}
            {!readOnly.value && (
              <button type="button" class="primary" disabled={!changed.value || waits.value || applying.value || problems.value.length > 0} onClick={wish} aria-keyshortcuts="Control+S">
                {t.value.apply}<kbd aria-hidden="true">{MAC ? "⌘S" : "Ctrl S"}</kbd>
              </button>
            )}
          </header>
          {begun.value ? <Sheet editor={editor} wish={wish} locked={(readOnly.value && !trial.value) || applying.value} /> : unread.value == null && <Skeleton rows={12} />}
        </section>
        <section class="plan" aria-labelledby="plan-title" aria-busy={planning.value}>
          <header>
            <h2 id="plan-title">{t.value.preview}</h2>
            <span class="unseen" role="status">{!planning.value && planned.value && gist(planned.value)}</span>
            {planning.value && planned.value && <span class="late soft">{t.value.stale}</span>}
          </header>
          <Plan goTo={goTo} />
        </section>
      </div>
      {asks.value === "ends" && <Question put={put} close={() => (asks.value = null)} />}
      {asks.value === "discard" && <Discard close={() => (asks.value = null)} />}
    </div>
  );
}

const MAC = /Mac|iPhone|iPad/.test(navigator.platform);

/** What waits stands at the top: bring it before the person's eyes, and ears. */
function lookAtApproval(): void {
  const title = () => document.getElementById("approval-title");
  const found = title();
  if (found) return found.focus();
  const stop = status.subscribe(() => requestAnimationFrame(() => title()?.focus()));
  setTimeout(stop, 3000);
}

function Standing({ now: { generation, desired_state: state } }: { now: Status }) {
  const { git } = state;
  return (
    <>
      <Pill tone="good" icon="check">
        <a href={linkTo("history", generation)}>{t.value.generation(generation)}</a> {t.value.inForce}
      </Pill>
      {broken.value && <Pill tone="bad" icon="failed">{t.value.notInForce}</Pill>}
      <span class="source mono soft" title={state.source}>{git ? `${git.path} · ${t.value.branch(git.branch)}` : state.source}</span>
      {git?.fetched_at && <span class="soft">{t.value.fetched} <Since at={git.fetched_at} /> {t.value.ago}</span>}
      {git?.error && <Pill tone="warn" icon="warn">{git.error}</Pill>}
    </>
  );
}

/** The editor, once it has come. */
function Sheet({ editor, wish, locked }: { editor: { current: Editor | null }; wish: () => void; locked: boolean }) {
  const place = useRef<HTMLDivElement>(null);
  const here = useSignal(false);
  const wished = useRef(wish);
  wished.current = wish;
  useEffect(() => {
    let left = false;
    void import("./editor").then(({ openEditor }) => {
      if (left) return;
      editor.current = openEditor(place.current!, text.value, {
        changed: (now) => (text.value = now),
        apply: () => wished.current(),
        schema: () => schema.value,
        tellUser: (id) => users.value?.get(id)?.why ?? t.value.unknownUser,
      });
      here.value = true;
    });
    return () => {
      left = true;
      editor.current?.close();
      editor.current = null;
    };
  }, []);
  useEffect(() => {
    const now = text.peek(); // not that of when this was drawn: more may have been typed since
    if (editor.current && editor.current.text !== now) editor.current.replace(now);
  }, [text.value, here.value]);
  useEffect(() => editor.current?.mark(problems.value), [problems.value, here.value]);
  useEffect(() => editor.current?.lock(locked), [locked, here.value]);
  return (
    <>
      {!here.value && <Skeleton rows={12} />}
      <div ref={place} class="editor" />
    </>
  );
}

function Plan({ goTo }: { goTo: (problem: Problem) => void }) {
  if (unplanned.value != null) return <div class="inset"><p><strong>{t.value.unplanned}</strong></p><ErrorNote error={unplanned.value} /></div>;
  if (planned.value) return <Preview planned={planned.value} goTo={goTo} />;
  if (planning.value) return <div class="inset"><span class="unseen" role="status">{t.value.planning}</span><Skeleton rows={6} /></div>;
  return <Empty icon="desired" title={t.value.typeTitle}>{t.value.type}</Empty>;
}

function Broken({ goTo }: { goTo: (problem: Problem) => void }) {
  const state = broken.value;
  if (!state) return null;
  const refused = held.value?.refused;
  const mending = refused != null && changed.value;
  const restore = async () => {
    const outcome = await apply(held.value!.text);
    if (typeof outcome === "object") toast({ tone: "good", text: t.value.restored });
  };
  return (
    <Banner
      tone="bad"
      icon="failed"
      title={t.value.broken}
      actions={!readOnly.value && (
        <>
          {refused != null && !changed.value && <button type="button" class="primary" onClick={mend}>{t.value.mend}</button>}
          {!changed.value && <button type="button" disabled={applying.value} onClick={restore}>{t.value.restore}</button>}
        </>
      )}
    >
      <Problems problems={state.problems} goTo={mending ? goTo : undefined} />
      {!mending && <p>{t.value.brokenMore}</p>}
    </Banner>
  );
}

function Overtaken({ reload }: { reload: () => void }) {
  const shown = useSignal(false);
  if (!overtaken.value) return null;
  const [from, now] = [begun.value!, held.value!];
  return (
    <>
      <Banner
        tone="working"
        icon="info"
        title={t.value.overtaken(now.generation)}
        actions={
          <>
            <button type="button" aria-expanded={shown.value} onClick={() => (shown.value = !shown.value)}>{shown.value ? t.value.hide : t.value.show}</button>
            <button type="button" onClick={reload}>{t.value.reload}</button>
          </>
        }
      >
        {t.value.overtakenMore(from.generation)}
      </Banner>
      {shown.value && (
        <div class="came">
          <Diff before={from.text} after={now.text} was={t.value.generation(from.generation)} becomes={t.value.generation(now.generation)} />
        </div>
      )}
    </>
  );
}

function Question({ put, close }: { put: () => void; close: () => void }) {
  const plan = planned.value;
  const ends = plan ? endedBy(plan.actions) : [];
  const waits = !!plan?.held;
  const title = !plan ? t.value.blindTitle : waits ? t.value.heldTitle : t.value.endTitle(ends.length);
  const action = !plan ? t.value.blindNow : waits ? t.value.heldNow : t.value.applyEnds(ends.length);
  return (
    <Ask title={title} action={action} danger run={async () => void put()} close={close}>
      {!plan && <><p>{t.value.blind}</p><ErrorNote error={unplanned.value} /></>}
      {waits && <p>{plan.held}</p>}
      {ends.length > 0 && <Loss ids={ends} />}
      <p>{t.value.stays}</p>
    </Ask>
  );
}

function Discard({ close }: { close: () => void }) {
  return (
    <Ask title={t.value.discardTitle} action={t.value.discardNow} danger leave={t.value.keep} run={async () => settle()} close={close}>
      <p>{t.value.discardMore}</p>
    </Ask>
  );
}
