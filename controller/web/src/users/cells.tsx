// What a row of the table and a card say of a user alike.
import { samples } from "../live";
import { Icon } from "../parts/icon";
import { course, Spark } from "../parts/spark";
import { Since } from "../parts/time";
import { remarks, standing } from "../standing";
import type { User } from "../types";
import { bytes, said } from "../words";
import { lastUsage } from "./listed";
import { reasonWords } from "../reasons";
import { t } from "./words";

/** What is behind the state, and what else somebody should know of. */
export function Notes({ user }: { user: User }) {
  const { detail, state, since } = standing(user);
  return (
    <>
      {remarks(user).map((each) => (
        <span key={each.type} class="remark" title={said(each.message)}><Icon name="warn" />{reasonWords.value[each.reason] ?? each.reason}</span>
      ))}
      {user.paused && state !== "paused" && <span class="remark off" title={t.value.paused}><Icon name="pause" />{reasonWords.value.Paused}</span>}
      {detail && <span class="detail" title={said(detail)}>{said(detail)}</span>}
      {!detail && <Activity user={user} busy={state === "busy"} since={since} />}
    </>
  );
}

function Activity({ user, busy, since }: { user: User; busy: boolean; since: string | null }) {
  const { session, status, stale, observed_at } = user.observed;
  if (stale) return <span class="soft">{t.value.last} {status ?? (observed_at ? t.value.nothing : t.value.never)}</span>;
  if (busy) return <span class="soft">{t.value.busy}{since && <> <Since at={since} /></>}</span>;
  if (session?.state !== "idle" || !session.since) return null;
  return <span class="soft">{t.value.idle} <Since at={session.since} /></span>;
}

export function Uptime({ user }: { user: User }) {
  const { container, status } = user.observed;
  return status === "running" && container?.started_at ? <Since at={container.started_at} /> : <span class="soft">{t.value.none}</span>;
}

interface UsageProps { user: User; which: Which; width?: number; height?: number }
type Which = 0 | 1;

/** The last minutes, on a scale up to the limit, and the present beside it. */
export function UsageCell({ user, which, width = 48, height = 18 }: UsageProps) {
  if (user.observed.status !== "running") return <span class="soft">{t.value.none}</span>;
  return <Figure id={user.user_id} measured={lastUsage([], user, which)} most={mostOf(user, which)} which={which} width={width} height={height} />;
}

interface FigureProps { id: number; measured: number | null; most: number; which: Which; width: number; height: number }

/** Apart, and with nothing but values: so that it is drawn anew for a new sample, and not for whatever else is told of a user. */
function Figure({ id, measured, most, which, width, height }: FigureProps) {
  const now = samples.value.at(-1)?.users[id]?.[which] ?? measured;
  if (now === null) return <span class="soft">{t.value.none}</span>;
  return (
    <span class="usage" title={which ? `${bytes(now)} / ${bytes(most)}` : `${now.toFixed(1)} % / ${Math.round(most)} %`}>
      <Spark points={course(samples.value, id, which)} most={most} width={width} height={height} />
      <span>{which ? bytes(now) : `${now < 10 ? now.toFixed(1) : Math.round(now)} %`}</span>
    </span>
  );
}

/** What a session may use: percent of one core, or bytes. */
export function mostOf(user: User, which: 0 | 1): number {
  const { container, usage } = user.observed;
  if (which) return usage?.memory_limit || container?.memory || user.desired?.resources?.memory || 1;
  return 100 * (container?.cpus || user.desired?.resources?.cpus || 1);
}

export function Disk({ user }: { user: User }) {
  const disk = user.observed.disk;
  if (!disk) return <span class="soft">{t.value.none}</span>;
  const text = `${disk.complete ? "" : "≥ "}${bytes(disk.size)}`;
  if (!disk.quota) return <span>{text}</span>;
  const share = Math.min(1, disk.size / disk.quota);
  return (
    <span class="disk" title={`${text} / ${bytes(disk.quota)}`}>
      <span>{text}</span>
      <span class={`gauge ${disk.over_since ? "bad" : share > 0.9 ? "warn" : ""}`}><i style={{ width: `${100 * share}%` }} /></span>
    </span>
  );
}

export function OpenSession({ user }: { user: User }) {
  const url = user.observed.status === "running" && user.access_url;
  if (!url) return null;
  return (
    <a class="button quiet square" href={url} target="_blank" rel="noopener" aria-label={`${t.value.open} ${user.user_id}`} title={t.value.open}>
      <Icon name="open" />
    </a>
  );
}
