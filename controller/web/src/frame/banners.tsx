// What is wrong, or waits, for everybody at once. Above every view, so that nobody acts without having seen it.
import { computed, useSignal } from "@preact/signals";
import { post } from "../api";
import { Answers } from "../desired/approval";
import { tellWriter } from "../history/writer";
import { heardAt, link, now, status } from "../live";
import { Banner } from "../parts/banner";
import { Since } from "../parts/time";
import { toast, toastError } from "../parts/toast";
import { linkTo, route } from "../route";
import type { Problem, Status } from "../types";
import { ranges, said, span, words } from "../words";

const t = words(
  {
    lost: "The controller does not answer", lostMore: (age: string) => `Trying again by itself. What is shown is ${age} old.`,
    away: "The engine cannot be reached", awayNever: "It has not answered yet.", awayAge: "It last answered ", ago: " ago. What is shown is from then; nothing is done until it answers again.",
    broken: (source: string) => `The desired state in ${source} cannot be taken`,
    stays: (generation: number) => `The last good state, generation ${generation}, stays in force.`,
    place: (line: number, column: number) => `line ${line}, column ${column}`, more: (count: number) => `and ${count} more`, mend: "Mend it",
    pending: (writer: string) => `A change waits for approval: ${writer}`, review: "Review it",
    ends: "It would end", removes: (ids: string) => `remove ${ids}`, stops: (ids: string) => `stop ${ids}`, remakes: (ids: string) => `make anew ${ids}`,
    sessions: (count: number) => (count === 1 ? "1 session" : `${count} sessions`),
    paused: "Paused for everybody", pausedMore: "No container is touched, whatever happens.", resume: "Resume",
    resumed: (generation: number) => `Resumed, as generation ${generation}.`,
    open: "Sessions may reach more of the network than they should", exceeded: "More is wanted than the operator allows",
    git: "The branch of the desired state is out of reach", label: "Notices",
  },
  {
    lost: "控制器没有应答", lostMore: (age: string) => `正在自动重试。所示内容是 ${age}前的。`,
    away: "引擎不可达", awayNever: "尚未应答过。", awayAge: "上次应答在", ago: "前。所示内容以当时为准；在它恢复应答之前，什么也不会做。",
    broken: (source: string) => `${source} 中的期望状态无法采用`,
    stays: (generation: number) => `最后一份有效状态（第 ${generation} 代）继续生效。`,
    place: (line: number, column: number) => `第 ${line} 行，第 ${column} 列`, more: (count: number) => `另有 ${count} 处`, mend: "去修改",
    pending: (writer: string) => `有一项改动等待批准：${writer}`, review: "查看",
    ends: "它将结束", removes: (ids: string) => `移除 ${ids}`, stops: (ids: string) => `停止 ${ids}`, remakes: (ids: string) => `重建 ${ids}`,
    sessions: (count: number) => `${count} 个会话`,
    paused: "已对所有人暂停", pausedMore: "无论发生什么，都不会触碰任何容器。", resume: "恢复",
    resumed: (generation: number) => `已恢复，为第 ${generation} 代。`,
    open: "会话可访问的网络超出了应有范围", exceeded: "所要求的超出了运维者允许的上限",
    git: "期望状态所在的分支无法访问", label: "通知",
  },
);

export function Banners() {
  const told = status.value;
  return (
    <div class="banners" role="region" aria-label={t.value.label} aria-live="polite">
      {link.value === "lost" && <Lost />}
      {told && <Told status={told} />}
    </div>
  );
}

const silentFor = computed(() => span(now.value - heardAt.value));

function Lost() {
  return (
    <Banner tone="bad" icon="unlinked" title={t.value.lost}>
      {heardAt.value > 0 && <span aria-live="off">{t.value.lostMore(silentFor.value)}</span>}
    </Banner>
  );
}

function Told({ status: { desired_state: desired, engine, generation, pending, paused, policy } }: { status: Status }) {
  const elsewhere = route.value.view !== "desired"; // that view tells of it itself, with what can be done
  return (
    <>
      {!engine.reachable && (
        <Banner tone="bad" icon="engine" title={t.value.away}>
          <span aria-live="off">
            {engine.last_seen ? <>{t.value.awayAge}<Since at={engine.last_seen} />{t.value.ago}</> : t.value.awayNever}
          </span>
          {engine.error && <div class="soft">{said(engine.error)}</div>}
        </Banner>
      )}
      {elsewhere && !desired.valid && !(pending && desired.problems.every(ofAll)) && (
        <Banner tone="bad" icon="desired" title={t.value.broken(desired.source)} actions={<a class="button" href={linkTo("desired")}>{t.value.mend}</a>}>
          <Problems problems={desired.problems} />
          <div>{t.value.stays(generation)}</div>
        </Banner>
      )}
      {elsewhere && pending && (
        <Banner
          key={pending.id}
          tone="warn"
          icon="approve"
          title={t.value.pending(tellWriter(pending.writer))}
          actions={<><a class="button" href={linkTo("desired")}>{t.value.review}</a><Answers pending={pending} /></>}
        >
          {t.value.ends} {t.value.sessions(pending.removes.length + pending.stops.length + pending.remakes.length)}
          {": "}
          {[
            pending.removes.length && t.value.removes(ranges(pending.removes)),
            pending.stops.length && t.value.stops(ranges(pending.stops)),
            pending.remakes.length && t.value.remakes(ranges(pending.remakes)),
          ].filter(Boolean).join("; ")}
          {" · "}
          <Since at={pending.since} />
        </Banner>
      )}
      {desired.git?.error && <Banner tone="warn" icon="history" title={t.value.git}>{said(desired.git.error)}</Banner>}
      {paused && <Paused />}
      {policy.exceeded && <Banner tone="warn" icon="warn" title={t.value.exceeded}>{said(policy.exceeded)}</Banner>}
      {engine.open && <Banner tone="warn" icon="warn" title={t.value.open}>{said(engine.open)}</Banner>}
    </>
  );
}

const PROBLEMS_SHOWN = 3;

/** It is about the text as a whole: so is that it waits for approval, which has a banner of its own. */
const ofAll = ({ line }: Problem) => line === 0;

function Problems({ problems }: { problems: Problem[] }) {
  return (
    <ul class="problems">
      {problems.slice(0, PROBLEMS_SHOWN).map((each) => (
        <li key={`${each.line}:${each.column}`}>{!ofAll(each) && <><span class="number">{t.value.place(each.line, each.column)}</span>: </>}{said(each.message)}</li>
      ))}
      {problems.length > PROBLEMS_SHOWN && <li>{t.value.more(problems.length - PROBLEMS_SHOWN)}</li>}
    </ul>
  );
}

function Paused() {
  const asked = useSignal(false);
  const resume = async () => {
    asked.value = true;
    try {
      const { generation } = await post<{ generation: number }>("/v1/resume");
      toast({ tone: "good", text: t.value.resumed(generation) });
    } catch (error) {
      toastError(error);
    } finally {
      asked.value = false;
    }
  };
  return (
    <Banner tone="off" icon="pause" title={t.value.paused} actions={<button type="button" disabled={asked.value} onClick={resume}>{t.value.resume}</button>}>
      {t.value.pausedMore}
    </Banner>
  );
}
