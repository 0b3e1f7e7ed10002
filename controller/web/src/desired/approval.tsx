// A change that the brake holds: whose it is, what it would take from whom, and the two answers to it.
import { useSignal } from "@preact/signals";
import { post } from "../api";
import { Diff } from "../history/diff";
import { tellWriter } from "../history/writer";
import { status } from "../live";
import { Ask } from "../parts/ask";
import { Icon } from "../parts/icon";
import { Moment, Since } from "../parts/time";
import { isRefused, toast } from "../parts/toast";
import { linkTo } from "../route";
import type { Pending } from "../types";
import { said, words } from "../words";
import { held, read } from "./draft";
import { busyOf, Chips, Loss } from "./people";

const t = words(
  {
    title: "A change waits for approval",
    by: "By", since: "Waits for", why: "Held because",
    removes: "Removes the sessions of", stops: "Stops the sessions of", remakes: "Makes anew the sessions of",
    busy: (count: number) => (count === 1 ? "1 of them is busy now" : `${count} of them are busy now`),
    show: "Show what it changes", hide: "Hide what it changes", now: "In force", then: "Once approved",
    approve: "Approve…", reject: "Reject…",
    approveTitle: (count: number) => (count === 1 ? "End 1 session?" : `End ${count} sessions?`),
    stays: "Every user's files stay.",
    approveNow: (count: number) => (count ? `Approve, end ${count}` : "Approve"),
    rejectTitle: "Reject this change?",
    rejectFile: "The text in force is put back into the file. The rejected text is set aside beside it, as “….rejected-” and the time: nothing of it is lost.",
    rejectGit: "A commit puts the text in force back on the branch. The rejected commit stays in its history.",
    rejectApi: "It is dropped, and nobody's session changes. Whoever asked for it can ask again.",
    rejectStart: "The sessions that were found running stay declared, paused.",
    rejectNow: "Reject",
    elsewhere: "The desired state follows a branch of git that is changed by commits only: to drop this change, revert it there.",
    approved: (generation: number) => `Approved: generation ${generation} is in force`,
    rejected: "Rejected: the state in force stays as it was",
    another: "What waits is another change by now: look at it again.",
    gone: "Somebody else has answered already: nothing waits any more.",
    history: "History",
  },
  {
    title: "有一项改动等待批准",
    by: "提出者", since: "已等待", why: "拦下的原因",
    removes: "将移除以下用户的会话", stops: "将停止以下用户的会话", remakes: "将重建以下用户的会话",
    busy: (count: number) => `其中 ${count} 个正忙`,
    show: "显示它改变了什么", hide: "隐藏它改变了什么", now: "生效的文本", then: "批准之后",
    approve: "批准…", reject: "拒绝…",
    approveTitle: (count: number) => `结束 ${count} 个会话？`,
    stays: "每个用户的文件都会保留。",
    approveNow: (count: number) => (count ? `批准，结束 ${count} 个` : "批准"),
    rejectTitle: "拒绝这项改动？",
    rejectFile: "生效的文本会写回文件；被拒绝的文本留在旁边，文件名以“.rejected-”加时间结尾，内容不会丢失。",
    rejectGit: "用一次提交把生效的文本放回分支；被拒绝的提交仍在其历史中。",
    rejectApi: "改动被丢弃，任何会话都不变。提出者可以再次提出。",
    rejectStart: "启动时发现正在运行的会话保持声明，处于暂停。",
    rejectNow: "拒绝",
    elsewhere: "期望状态跟随一个只能通过提交来修改的 git 分支：要丢弃此改动，请在那里还原。",
    approved: (generation: number) => `已批准：第 ${generation} 代已生效`,
    rejected: "已拒绝：生效的状态保持不变",
    another: "现在等待批准的是另一项改动：请重新查看。",
    gone: "已经有人答复：没有等待批准的改动了。",
    history: "历史",
  },
);

const ofPending = ({ removes, stops, remakes }: Pending) => [...removes, ...stops, ...remakes].sort((one, other) => one - other);

export function Approval() {
  const pending = status.value?.pending;
  return pending ? <Panel key={pending.id} pending={pending} /> : null;
}

function Panel({ pending }: { pending: Pending }) {
  const shown = useSignal(false);
  const waiting = held.value?.waiting;
  const kinds = [[t.value.removes, pending.removes], [t.value.stops, pending.stops], [t.value.remakes, pending.remakes]] as const;
  return (
    <section class="approval" aria-labelledby="approval-title">
      <header>
        <Icon name="approve" />
        <h2 id="approval-title" tabIndex={-1}>{t.value.title}</h2>
      </header>
      <dl class="signed">
        <div><dt>{t.value.by}</dt><dd>{tellWriter(pending.writer)}</dd></div>
        <div><dt>{t.value.since}</dt><dd><Since at={pending.since} /> <span class="soft">(<Moment at={pending.since} />)</span></dd></div>
        <div class="whole"><dt>{t.value.why}</dt><dd>{said(pending.why)}</dd></div>
      </dl>
      {kinds.map(([title, ids]) => ids.length > 0 && (
        <div class="toll" key={title}>
          <h3>{title} <span class="count number">{ids.length}</span> <Busy ids={ids} /></h3>
          <Chips ids={ids} />
        </div>
      ))}
      {shown.value && waiting != null && (
        <Diff before={held.value!.text} after={waiting} was={t.value.now} becomes={t.value.then} />
      )}
      {answeredElsewhere(pending) && <p class="soft">{t.value.elsewhere}</p>}
      <footer>
        {waiting != null && (
          <button type="button" class="quiet" aria-expanded={shown.value} onClick={() => (shown.value = !shown.value)}>
            <Icon name={shown.value ? "up" : "down"} />{shown.value ? t.value.hide : t.value.show}
          </button>
        )}
        <span class="spread" />
        <Answers pending={pending} />
      </footer>
    </section>
  );
}

/** The two buttons; either asks first. */
export function Answers({ pending }: { pending: Pending }) {
  const asks = useSignal<"approve" | "reject" | null>(null);
  return (
    <>
      <button type="button" disabled={answeredElsewhere(pending)} onClick={() => (asks.value = "reject")}>{t.value.reject}</button>
      <button type="button" class="danger" onClick={() => (asks.value = "approve")}>{t.value.approve}</button>
      {asks.value && <Question what={asks.value} pending={pending} close={() => (asks.value = null)} />}
    </>
  );
}

/** A commit can be taken back on its branch only. */
function answeredElsewhere({ source }: Pending): boolean {
  const git = status.value?.desired_state.git;
  return !!git && !git.write && source === "file";
}

function Busy({ ids }: { ids: readonly number[] }) {
  const busy = busyOf(ids).length;
  return busy ? <span class="busy-count">{t.value.busy(busy)}</span> : null;
}

function Question({ what, pending, close }: { what: "approve" | "reject"; pending: Pending; close: () => void }) {
  const ends = ofPending(pending);
  const approves = what === "approve";

  const answer = async () => {
    try {
      const { generation } = await post<{ generation: number }>(`/v1/${what}`, { id: pending.id });
      const text = approves ? t.value.approved(generation) : t.value.rejected;
      toast({ tone: "good", text, actions: approves && <a href={linkTo("history", generation)}>{t.value.history}</a> });
      void read();
    } catch (error) {
      if (!isRefused(error, "not_pending")) throw error;
      toast({ tone: "bad", text: error.body.pending ? t.value.another : t.value.gone });
    }
  };

  return (
    <Ask
      title={approves ? t.value.approveTitle(ends.length) : t.value.rejectTitle}
      action={approves ? t.value.approveNow(ends.length) : t.value.rejectNow}
      danger={approves}
      run={answer}
      close={close}
    >
      {approves
        ? <>
            <Loss ids={ends} />
            <p>{t.value.stays}</p>
          </>
        : <p>{rejected(pending)}</p>}
    </Ask>
  );
}

/** What a rejection does to where the change came from. */
function rejected({ source }: Pending): string {
  if (source === "start") return t.value.rejectStart;
  if (source !== "file") return t.value.rejectApi;
  return status.value?.desired_state.git ? t.value.rejectGit : t.value.rejectFile;
}
