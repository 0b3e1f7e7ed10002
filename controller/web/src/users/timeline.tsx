// What led to how a user stands now: who asked, what was decided and why, what the engine answered, where it stands, and what
// happens next and when. What happened before the page was opened is asked for once; what happens since comes by itself.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { get } from "../api";
import { requestOf, tellWriter } from "../history/writer";
import { gaps, happened } from "../live";
import { ErrorNote } from "../parts/error";
import { Icon, type IconName } from "../parts/icon";
import { Skeleton } from "../parts/skeleton";
import { LOOKS, stateWords } from "../parts/state";
import { Moment, Until } from "../parts/time";
import { eventWords } from "../reasons";
import { linkTo } from "../route";
import { standing } from "../standing";
import type { Happened, User } from "../types";
import { said, words } from "../words";

const t = words(
  {
    asked: "asked", decided: "Decided and done", refused: "The engine refused", stands: "Now", next: "Next",
    nothing: "Nothing is remembered of this user yet.", earlier: (count: number) => `${count} earlier`,
    times: (count: number) => `${count} times`, trying: "Another try in", settled: "Nothing: it is as it should be.", queued: "A pass is due.", waits: "It waits for a person.", acting: "Being done now.", pausing: "Nothing, while it is paused.", away: "Nothing, until the engine answers.",
    asking: "The services are asked again and again.", restart: "A restart is due in",
  },
  {
    asked: "要求", decided: "决定并执行", refused: "引擎拒绝", stands: "现在", next: "接下来",
    nothing: "还没有关于这位用户的记录。", earlier: (count: number) => `更早的 ${count} 条`,
    times: (count: number) => `${count} 次`, trying: "距再次尝试还有", settled: "无事可做：一切如所愿。", queued: "即将处理。", waits: "等待人工处理。", acting: "正在进行。", pausing: "暂停期间不做任何事。", away: "在引擎应答之前不做任何事。",
    asking: "正在反复询问其服务。", restart: "距重启还有",
  },
);

const ASKED = 50;
const SHOWN = 6;

export function Timeline({ user }: { user: User }) {
  const id = user.user_id;
  const before = useSignal<Happened[] | null>(null);
  const wrong = useSignal<unknown>(null);
  const all = useSignal(false);
  const ask = () =>
    get<{ events: Happened[] }>(`/v1/events?user_id=${id}&limit=${ASKED}`).then(
      (answer) => ((before.value = answer.events), (wrong.value = null)),
      (error) => (wrong.value = error),
    );
  useEffect(() => void ask(), [id, gaps.value]);
  if (wrong.value !== null) return <ErrorNote error={wrong.value} retry={ask} />;
  if (before.value === null) return <Skeleton rows={3} />;

  const last = before.value.at(-1)?.id ?? 0;
  const told = [...before.value, ...happened.value.filter((each) => each.user_id === id && each.id > last)];
  const runs = gathered(told);
  const shown = all.value ? runs : runs.slice(-SHOWN);
  return (
    <ol class="timeline">
      {shown.length < runs.length && (
        <li class="timeline-more"><button type="button" class="quiet small" onClick={() => (all.value = true)}>{t.value.earlier(runs.length - shown.length)}</button></li>
      )}
      {told.length === 0 && <li class="soft">{t.value.nothing}</li>}
      {shown.map((each) => <Step key={each.first.id} run={each} />)}
      <Present user={user} />
    </ol>
  );
}

/** The same thing again and again, as a port that stays taken is. */
interface Run { first: Happened; last: Happened; count: number }

function gathered(events: Happened[]): Run[] {
  const runs: Run[] = [];
  for (const event of events) {
    const run = runs.at(-1);
    if (run && run.last.reason === event.reason && run.last.message === event.message && run.last.writer === event.writer) {
      runs[runs.length - 1] = { ...run, last: event, count: run.count + 1 };
    } else {
      runs.push({ first: event, last: event, count: 1 });
    }
  }
  return runs;
}

function Step({ run: { first, last: event, count } }: { run: Run }) {
  const { icon, tone, word } = looksOf(event);
  const text = event.writer ? event.message.replace(`${event.writer}: `, "") : event.message;
  return (
    <li class={tone}>
      <Icon name={icon} />
      <div>
        <div class="timeline-head">
          <strong title={event.writer}>{event.writer ? tellWriter(event.writer) : word}</strong> {event.writer && <span class="soft">{word}</span>}
          {event.writer && requestOf(event.writer) && <code class="soft">{requestOf(event.writer)}</code>}
          <span class="spread" />
          {event.kind === "wish" && event.generation && <a class="number" href={linkTo("history", event.generation)}>#{event.generation}</a>}
          <span class="soft number">{count > 1 && <>{t.value.times(count)}, <Moment at={first.at} /> – </>}<Moment at={event.at} /></span>
        </div>
        <div>{said(text)}</div>
      </div>
    </li>
  );
}

function looksOf({ kind, reason }: Happened): { icon: IconName; tone: string; word: string } {
  switch (kind) {
    case "wish":
    case "conflict":
    case "brake":
      return { icon: "desired", tone: "", word: t.value.asked };
    case "action":
      return reason === "ActionFailed" ? { icon: "failed", tone: "bad", word: t.value.refused } : { icon: "check", tone: "", word: t.value.decided };
    default: {
      const good = reason === "Ready" || reason === "WithinQuota";
      return { icon: good ? "ready" : "info", tone: good ? "good" : "", word: eventWords.value[reason] ?? reason };
    }
  }
}

/** Where it stands, and what happens next and when. */
function Present({ user }: { user: User }) {
  const stands = standing(user);
  const { tone, icon } = LOOKS[stands.state];
  return (
    <>
      <li class={`present ${tone}`}>
        <Icon name={icon} />
        <div>
          <div class="timeline-head"><strong>{t.value.stands}: {stateWords.value[stands.state]}</strong></div>
          {stands.detail && <div>{said(stands.detail)}</div>}
        </div>
      </li>
      <li class="next">
        <Icon name="right" />
        <div><strong>{t.value.next}:</strong> <Next user={user} /></div>
      </li>
    </>
  );
}

function Next({ user }: { user: User }) {
  const { state } = standing(user);
  const { progress, desired } = user;
  if (state === "unknown") return <>{t.value.away}</>;
  if (progress.doing) return <>{t.value.acting} <span class="soft">{said(progress.doing)}</span></>;
  if (user.paused) return <>{t.value.pausing}</>;
  if (progress.next_try && !progress.settled) return <>{t.value.trying} <Until at={progress.next_try} /></>;
  if (state === "stuck") return <>{t.value.waits} {said(progress.hint)}</>;
  if (!progress.settled) return <>{t.value.queued}</>;
  if (desired?.restart_at && Date.parse(desired.restart_at) > Date.now()) return <>{t.value.restart} <Until at={desired.restart_at} /></>;
  return <>{state === "starting" || state === "failed" ? t.value.asking : t.value.settled}</>;
}
