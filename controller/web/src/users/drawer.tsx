// One user: why it is as it is, how that came about, what was wanted and what is, what it uses, and what it printed last.
import { useEffect, useRef } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { samples, users } from "../live";
import { CopyButton } from "../parts/copy";
import { Icon } from "../parts/icon";
import { course, Spark } from "../parts/spark";
import { StatePill } from "../parts/state";
import { Moment, Since, Until } from "../parts/time";
import { go, linkTo } from "../route";
import { standing } from "../standing";
import type { Condition, User } from "../types";
import { bytes, said, words } from "../words";
import { act, concerns, DRAWN, KINDS } from "./act";
import { lastUsage, listed } from "./listed";
import { mostOf } from "./cells";
import { Log } from "./log";
import { conditionWords } from "../reasons";
import { Timeline } from "./timeline";
import { t as shared } from "./words";

const t = words(
  {
    close: "Close", before: "The user before", after: "The next user", gone: "There is no such user", goneMore: "Neither declared nor there.",
    why: "Why", happened: "How it came about", wanted: "Wanted and found", conditions: "Conditions", links: "Addresses", usage: "Use in the last minutes", actions: "Actions",
    field: "Field", desired: "Desired", observed: "Observed", differs: "differs",
    state: "State", image: "Image", cpus: "CPUs", memory: "Memory", sessionId: "Session id", restart: "Restart due", container: "Container", node: "Node", deferred: "From the next start on", exit: "Exit code", oom: "out of memory",
    paused: "Paused", yes: "yes", no: "no", none: "none", noEntry: "not in the desired state", asked: (writer: string, generation: number) => `${writer}, generation ${generation}`, askedBy: "Last changed by",
    page: "Page of the session", socket: "WebSocket", folder: "Data folder", noLinks: "The session has no addresses while it has no container, or for a token that only reads.",
    since: "since", now: "now", limit: "limit", until: (time: ComponentChildren) => <>in {time}</>,
    status: { True: "True", False: "False", Unknown: "Unknown" },
  },
  {
    close: "关闭", before: "上一位用户", after: "下一位用户", gone: "没有这位用户", goneMore: "既未声明，也没有容器。",
    why: "原因", happened: "来龙去脉", wanted: "期望与实际", conditions: "状况", links: "地址", usage: "最近几分钟的用量", actions: "操作",
    field: "字段", desired: "期望", observed: "实际", differs: "不一致",
    state: "状态", image: "镜像", cpus: "CPU", memory: "内存", sessionId: "会话 ID", restart: "预定重启", container: "容器", node: "节点", deferred: "下次启动起", exit: "退出码", oom: "内存不足",
    paused: "暂停", yes: "是", no: "否", none: "无", noEntry: "不在期望状态中", asked: (writer: string, generation: number) => `${writer}，第 ${generation} 代`, askedBy: "最后修改者",
    page: "会话页面", socket: "WebSocket", folder: "数据目录", noLinks: "没有容器时，或令牌只读时，会话没有地址。",
    since: "自", now: "当前", limit: "上限", until: (time: ComponentChildren) => <>{time}后</>,
    status: { True: "是", False: "否", Unknown: "未知" },
  },
);

export function Drawer({ id }: { id: number }) {
  const pane = useRef<HTMLElement>(null);
  useEffect(() => {
    const inList = document.activeElement?.closest("[data-user]");
    if (!inList || matchMedia("(max-width: 1100px)").matches) pane.current!.focus({ preventScroll: true });
  }, []);
  const user = users.value?.get(id);
  return (
    <aside ref={pane} class="drawer" tabIndex={-1} aria-label={`${shared.value.user} ${id}`}>
      <header class="drawer-head">
        <h2 class="number">{shared.value.user} {id}</h2>
        {user && <StatePill standing={standing(user)} />}
        <span class="spread" />
        <Neighbours id={id} />
        <button type="button" class="quiet square" aria-label={t.value.close} title={`${t.value.close} (Esc)`} onClick={() => go("users")}><Icon name="close" /></button>
      </header>
      {user ? <About user={user} /> : users.value && <p class="drawer-body"><strong>{t.value.gone}.</strong> {t.value.goneMore}</p>}
    </aside>
  );
}

function Neighbours({ id }: { id: number }) {
  const ids = listed.value.map((each) => each.user_id);
  const at = ids.indexOf(id);
  const to = (by: number, icon: "up" | "down", label: string) => {
    const next = at < 0 ? undefined : ids[at + by];
    return (
      <button type="button" class="quiet square" aria-label={label} title={label} disabled={next === undefined} onClick={() => go("users", next)}>
        <Icon name={icon} />
      </button>
    );
  };
  return <>{to(-1, "up", t.value.before)}{to(1, "down", t.value.after)}</>;
}

function About({ user }: { user: User }) {
  const url = user.observed.status === "running" ? user.access_url : null;
  return (
    <div class="drawer-body">
      <div class="drawer-actions" role="group" aria-label={t.value.actions}>
        {url && <a class="button primary" href={url} target="_blank" rel="noopener"><Icon name="open" />{shared.value.open}</a>}
        {KINDS.filter((kind) => concerns(kind, user)).map((kind) => (
          <button key={kind} type="button" class={kind === "destroy" ? "danger" : ""} onClick={() => act(kind, [user])}>
            <Icon name={DRAWN[kind]} />{shared.value[kind]}
          </button>
        ))}
      </div>
      <Part title={t.value.why}><p class="why"><Counting text={user.why} next={user.progress.next_try} /></p></Part>
      <Part title={t.value.happened}><Timeline user={user} /></Part>
      <Part title={t.value.usage}><Charts user={user} /></Part>
      <Part title={t.value.wanted}><Compared user={user} /></Part>
      <Part title={t.value.conditions}><Conditions user={user} /></Part>
      <Part title={t.value.links}><Links user={user} /></Part>
      <Log user={user} />
    </div>
  );
}

export function Part({ title, actions, children }: { title: string; actions?: ComponentChildren; children: ComponentChildren }) {
  return (
    <section class="part">
      <header><h3>{title}</h3>{actions}</header>
      {children}
    </section>
  );
}

/** The controller's sentence, in which the wait goes on counting: it was written when something last changed. */
function Counting({ text, next }: { text: string; next: string | null }) {
  const told = said(text);
  const wait = /(?<=the next try is )(?:in \d+ \w+|now)|(?<=下次尝试：)(?:\d+ \S+后|现在)/i.exec(told);
  if (next === null || !wait) return <>{told}</>;
  return <>{told.slice(0, wait.index)}{t.value.until(<Until at={next} />)}{told.slice(wait.index + wait[0].length)}</>;
}

// ---------------------------------------------------------------- wanted and found

function Compared({ user }: { user: User }) {
  const { desired, observed } = user;
  const container = observed.container;
  const resources = desired?.resources;
  const runs = observed.status === "running";
  const none = <span class="soft">{t.value.none}</span>;
  const rows: [string, ComponentChildren, ComponentChildren, boolean][] = [
    [t.value.state, desired?.state ?? none, observed.status ?? none, observed.observed_at !== null && (desired === null ? container !== null : (desired.state === "running") !== runs)],
    [t.value.image, resources?.image ?? none, container?.image ?? none, differ(resources?.image, container?.image)],
    [t.value.cpus, resources?.cpus ?? none, container?.cpus ?? none, differ(resources?.cpus, container?.cpus)],
    [t.value.memory, resources ? bytes(resources.memory) : none, container ? bytes(container.memory) : none, differ(resources?.memory, container?.memory)],
    [t.value.sessionId, desired?.session_id ?? none, container?.session_id ?? none, false],
  ];
  return (
    <>
      <table class="compared">
        <thead><tr><th scope="col"><span class="unseen">{t.value.field}</span></th><th scope="col">{t.value.desired}</th><th scope="col">{t.value.observed}</th></tr></thead>
        <tbody>
          {rows.map(([name, want, have, drift]) => (
            <tr key={name} class={drift ? "drift" : ""}>
              <th scope="row">{name}</th>
              <td>{want}</td>
              <td>{have}{drift && <span class="remark"><Icon name="warn" />{t.value.differs}</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <dl class="facts">
        <Fact name={shared.value.profile}>{desired ? desired.profile : t.value.noEntry}</Fact>
        {user.asked && (
          <Fact name={t.value.askedBy}>
            {user.asked.writer} · <a href={linkTo("history", user.asked.generation)} class="number">{user.asked.generation}</a> · <Moment at={user.asked.at} />
          </Fact>
        )}
        {desired?.restart_at && <Fact name={t.value.restart}><Moment at={desired.restart_at} /></Fact>}
        {user.paused && <Fact name={t.value.paused}>{shared.value.paused}</Fact>}
        {container && <Fact name={t.value.container}><span class="mono">{container.name}</span> <span class="mono soft" title={container.id}>{container.id.slice(0, 12)}</span></Fact>}
        {container?.node && <Fact name={t.value.node}>{container.node.name} <span class="mono soft">{container.node.address}</span></Fact>}
        {container?.deferred?.length ? <Fact name={t.value.deferred}>{container.deferred.join(", ")}</Fact> : null}
        {container && !runs && <Fact name={t.value.exit}>{container.exit_code}{container.oom_killed && `, ${t.value.oom}`}</Fact>}
      </dl>
    </>
  );
}

/** Both are known, and are not the same. */
const differ = (want: unknown, have: unknown) => want !== undefined && have !== undefined && want !== have;

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return <div><dt>{name}</dt><dd>{children}</dd></div>;
}

// ---------------------------------------------------------------- conditions

const WISHED: Partial<Record<Condition["type"], "True" | "False">> = {
  Ready: "True", Stalled: "False", Degraded: "False", WebReady: "True", SessionReady: "True", Enclosed: "True", WithinQuota: "True",
};

function Conditions({ user }: { user: User }) {
  return (
    <table class="conditions">
      <tbody>
        {user.conditions.map((each) => (
          <tr key={each.type} class={toneOf(each)}>
            <th scope="row">{conditionWords.value[each.type]}</th>
            <td class="condition-status"><Icon name={each.status === "True" ? "check" : each.status === "False" ? "minus" : "unknown"} />{t.value.status[each.status]}</td>
            <td>
              <Counting text={each.message} next={user.progress.next_try} />
              <span class="soft"> {each.reason}{each.since && <> · <Since at={each.since} /></>}</span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function toneOf({ type, status }: Condition): string {
  const wished = WISHED[type];
  if (wished === undefined) return "";
  return status === "Unknown" ? "off" : status === wished ? "good" : "bad";
}

// ---------------------------------------------------------------- use

function Charts({ user }: { user: User }) {
  return <div class="charts">{([0, 1] as const).map((which) => <Chart key={which} user={user} which={which} />)}</div>;
}

const WIDTH = 240;
const HEIGHT = 64;

function Chart({ user, which }: { user: User; which: 0 | 1 }) {
  const most = mostOf(user, which);
  const now = lastUsage(samples.value, user, which);
  const told = (value: number) => (which ? bytes(value) : `${value < 10 ? value.toFixed(1) : Math.round(value)} %`);
  return (
    <figure class="chart">
      <figcaption>
        <span>{which ? shared.value.memory : shared.value.cpu}</span>
        <strong class="number">{now === null ? shared.value.none : told(now)}</strong>
        <span class="soft number">{t.value.limit} {told(most)}</span>
      </figcaption>
      <Spark points={course(samples.value, user.user_id, which)} most={most * 1.04} limit={most} width={WIDTH} height={HEIGHT} />
    </figure>
  );
}

// ---------------------------------------------------------------- addresses

function Links({ user }: { user: User }) {
  const { access_url: page, ws_url: socket } = user;
  return (
    <dl class="facts links">
      {!page && !socket && <p class="soft">{t.value.noLinks}</p>}
      {page && <Fact name={t.value.page}><a class="mono" href={page} target="_blank" rel="noopener">{page}</a><CopyButton text={page} what={t.value.page} /></Fact>}
      {socket && <Fact name={t.value.socket}><span class="mono">{socket}</span><CopyButton text={socket} what={t.value.socket} /></Fact>}
      {user.observed.container && (
        <Fact name={t.value.folder}><span class="mono">{user.observed.container.data_folder}</span><CopyButton text={user.observed.container.data_folder} what={t.value.folder} /></Fact>
      )}
    </dl>
  );
}
