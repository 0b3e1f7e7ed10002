// The nodes of a swarm: which take sessions, whose are there, and how one is emptied for its maintenance and taken back.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { post } from "../api";
import { Ask } from "../parts/ask";
import { Empty } from "../parts/empty";
import { ErrorNote } from "../parts/error";
import { Pill, type Tone } from "../parts/pill";
import { Skeleton } from "../parts/skeleton";
import { Since } from "../parts/time";
import { toast } from "../parts/toast";
import type { SwarmNode } from "../types";
import { bytes, ranges, words } from "../words";
import { failed, look, swarm } from "./known";
import "./nodes.css";

const t = words(
  {
    title: "Nodes", of: (count: number) => (count === 1 ? "1 node" : `${count} nodes`), node: "Node", address: "Address", state: "State", sessions: "Sessions",
    cpus: "CPUs reserved", memory: "Memory reserved", actions: "Actions", outOf: (part: string, whole: string) => `${part} of ${whole}`, none: "none",
    roles: { manager: "manager", worker: "worker" } as Record<string, string>,
    states: { ready: "Ready", down: "Down", disconnected: "Disconnected", unknown: "Unknown" } as Record<string, string>,
    lost: "Nobody knows what runs there. Its sessions are waited for, and begun nowhere else.",
    leaving: "Is to be empty", empty: "Empty", full: "Takes no more", drained: "Drained", left: (ids: string) => `still there: ${ids}`,
    way: (ids: string) => `on the way: ${ids}`, turn: (ids: string, atOnce: number) => `waiting for their turn, ${atOnce} at a time: ${ids}`,
    drain: "Drain", activate: "Activate", one: "There are no nodes", oneMore: "The engine is one host's. On a swarm its nodes are listed here.",
    askDrain: (name: string) => `Drain ${name}?`, askActivate: (name: string) => `Activate ${name}?`, happens: "What happens", lose: "What is lost", stays: "What stays",
    noMore: "From now on it takes no sessions, until it is activated.",
    move: (ids: string, atOnce: number) => `The sessions of users ${ids} are restarted on other nodes, ${atOnce} at a time. Whom no other node has room for goes on where it is.`,
    nobody: "No session is there.", variables: "The variables in the memory of each of these sessions, when its turn comes.", files: "The files in the data folders: always.",
    takes: "It takes sessions again, as they start.", stay: (ids: string) => `Sessions that are still there go on: users ${ids}.`, back: "None comes back by itself.",
    drains: (name: string) => `${name} takes no more sessions`, active: (name: string) => `${name} takes sessions`,
  },
  {
    title: "节点", of: (count: number) => `${count} 个节点`, node: "节点", address: "地址", state: "状态", sessions: "会话",
    cpus: "已预留 CPU", memory: "已预留内存", actions: "操作", outOf: (part: string, whole: string) => `${part} / ${whole}`, none: "无",
    roles: { manager: "管理节点", worker: "工作节点" } as Record<string, string>,
    states: { ready: "就绪", down: "已失联", disconnected: "已断开", unknown: "未知" } as Record<string, string>,
    lost: "无人知道那里在运行什么。其会话会被等待，不会在别处启动。",
    leaving: "正在清空", empty: "已清空", full: "不再接收", drained: "已排空", left: (ids: string) => `尚在：${ids}`,
    way: (ids: string) => `迁移中：${ids}`, turn: (ids: string, atOnce: number) => `排队中（同时 ${atOnce} 个）：${ids}`,
    drain: "清空", activate: "恢复", one: "没有节点", oneMore: "引擎是单台主机的。使用 swarm 时，节点列在这里。",
    askDrain: (name: string) => `清空 ${name}？`, askActivate: (name: string) => `恢复 ${name}？`, happens: "将会发生", lose: "将会丢失", stays: "将会保留",
    noMore: "从现在起不再接收会话，直到被恢复。",
    move: (ids: string, atOnce: number) => `用户 ${ids} 的会话在其他节点上重启，同时 ${atOnce} 个。其他节点没有空间的，留在原处继续运行。`,
    nobody: "那里没有会话。", variables: "轮到时，这些会话各自在内存中的变量。", files: "数据目录中的文件：始终保留。",
    takes: "它重新接收启动的会话。", stay: (ids: string) => `仍在那里的会话继续运行：用户 ${ids}。`, back: "已迁走的不会自行返回。",
    drains: (name: string) => `${name} 不再接收会话`, active: (name: string) => `${name} 接收会话`,
  },
);

const LOOK_AGAIN = 2000; // ms

/** What is asked before it is done; `null`: nothing. */
const asking = signal<{ deed: "drain" | "activate"; id: string } | null>(null);

export function NodesView() {
  useEffect(() => {
    void look();
    const again = setInterval(() => !document.hidden && void look(), LOOK_AGAIN);
    return () => clearInterval(again);
  }, []);
  const nodes = swarm.value?.nodes;
  return (
    <div class="nodes">
      <header class="view-head">
        <h1>{t.value.title}</h1>
        {nodes && nodes.length > 0 && <span class="soft number" aria-live="polite">{t.value.of(nodes.length)}</span>}
      </header>
      {failed.value != null && <ErrorNote error={failed.value} retry={look} />}
      {!nodes && failed.value == null && <Skeleton rows={4} />}
      {nodes?.length === 0 && <Empty icon="engine" title={t.value.one}>{t.value.oneMore}</Empty>}
      {nodes && nodes.length > 0 && <List nodes={nodes} />}
      <Asking />
    </div>
  );
}

function List({ nodes }: { nodes: readonly SwarmNode[] }) {
  return (
    <table class="list">
      <thead>
        <tr>
          <th scope="col">{t.value.node}</th>
          <th scope="col">{t.value.address}</th>
          <th scope="col">{t.value.state}</th>
          <th scope="col">{t.value.sessions}</th>
          <th scope="col">{t.value.cpus}</th>
          <th scope="col">{t.value.memory}</th>
          <th scope="col"><span class="unseen">{t.value.actions}</span></th>
        </tr>
      </thead>
      <tbody>{nodes.map((each) => <Row key={each.id} node={each} />)}</tbody>
    </table>
  );
}

function Row({ node }: { node: SwarmNode }) {
  const stays = node.availability === "active";
  const number = (count: number) => String(Math.round(count * 100) / 100);
  return (
    <tr data-node={node.name}>
      <th scope="row"><span class="node-name">{node.name}</span> <span class="soft">{t.value.roles[node.role] ?? node.role}</span></th>
      <td class="mono where">{node.address}</td>
      <td class="how"><How node={node} /></td>
      <td class="whose number" data-head={t.value.sessions}>
        {node.sessions.length} {node.sessions.length > 0 && <span class="soft">({ranges(node.sessions)})</span>}
      </td>
      <td class="number" data-head={t.value.cpus}><Share part={node.reserved_cpus} whole={node.cpus} said={number} /></td>
      <td class="number" data-head={t.value.memory}><Share part={node.reserved_memory} whole={node.memory} said={bytes} /></td>
      <td class="do">
        <button type="button" class="small" onClick={() => (asking.value = { deed: stays ? "drain" : "activate", id: node.id })}>
          {stays ? t.value.drain : t.value.activate}<span class="unseen"> {node.name}</span>
        </button>
      </td>
    </tr>
  );
}

/** Whether it is there, whether it takes sessions, and how far it is with becoming empty. */
function How({ node }: { node: SwarmNode }) {
  const there = node.state === "ready";
  const own = (ids: readonly number[]) => ids.filter((id) => node.sessions.includes(id));
  const { moving = [], waiting = [], moves_at_once = 1 } = swarm.value ?? {};
  const [going, turn] = [own(moving), own(waiting)];
  return (
    <>
      <Pill tone={there ? "good" : "bad"} icon={there ? "ready" : "alarm"}>{t.value.states[node.state] ?? node.state}{!there && node.updated_at && <> · <Since at={node.updated_at} /></>}</Pill>
      <Taking node={node} />
      {!there && node.sessions.length > 0 && <div class="soft">{t.value.lost}</div>}
      {node.leaving_since && node.sessions.length > 0 && (
        <div class="soft" aria-live="polite">
          {[
            t.value.left(ranges(node.sessions)),
            going.length > 0 && t.value.way(ranges(going)),
            turn.length > 0 && t.value.turn(ranges(turn), moves_at_once),
          ].filter(Boolean).join(" · ")}
        </div>
      )}
    </>
  );
}

function Taking({ node }: { node: SwarmNode }) {
  if (node.availability === "active") return null;
  const leaving = node.leaving_since !== null;
  const tone: Tone = leaving && node.sessions.length > 0 ? "working" : "off";
  const word = !leaving ? (node.availability === "drain" ? t.value.drained : t.value.full) : node.sessions.length > 0 ? t.value.leaving : t.value.empty;
  return <Pill tone={tone} icon={tone === "working" ? "working" : "pause"}>{word}{leaving && <> · <Since at={node.leaving_since!} /></>}</Pill>;
}

function Share({ part, whole, said }: { part: number; whole: number; said: (count: number) => string }) {
  const filled = whole > 0 ? Math.min(100, (part / whole) * 100) : 0;
  return (
    <>
      {t.value.outOf(said(part), said(whole))}
      <span class={filled > 90 ? "gauge warn" : "gauge"} aria-hidden="true"><i style={{ width: `${filled}%` }} /></span>
    </>
  );
}

// ---------------------------------------------------------------- asking

const close = () => (asking.value = null);

function Asking() {
  const node = swarm.value?.nodes.find((each) => each.id === asking.value?.id);
  if (!asking.value || !node) return null;
  const { deed } = asking.value;
  const there = node.sessions.length > 0 && ranges(node.sessions);
  const moves = node.state === "ready" && there;
  const run = async () => {
    await post<SwarmNode>(`/v1/nodes/${encodeURIComponent(node.id)}/${deed}`);
    toast({ tone: "good", text: deed === "drain" ? t.value.drains(node.name) : t.value.active(node.name) });
    await look();
  };
  if (deed === "activate") {
    return (
      <Ask title={t.value.askActivate(node.name)} action={t.value.activate} run={run} close={close}>
        <h3>{t.value.happens}</h3>
        <ul class="told">
          <li>{t.value.takes}</li>
          {there && <li>{t.value.stay(there)}</li>}
          <li>{t.value.back}</li>
        </ul>
      </Ask>
    );
  }
  return (
    <Ask title={t.value.askDrain(node.name)} action={t.value.drain} danger={Boolean(moves)} run={run} close={close}>
      <h3>{t.value.happens}</h3>
      <ul class="told">
        <li>{t.value.noMore}</li>
        <li>{moves ? t.value.move(moves, swarm.value!.moves_at_once) : there ? t.value.lost : t.value.nobody}</li>
      </ul>
      {moves && (
        <>
          <h3>{t.value.lose}</h3>
          <ul class="told"><li>{t.value.variables}</li></ul>
          <h3>{t.value.stays}</h3>
          <ul class="told"><li>{t.value.files}</li></ul>
        </>
      )}
    </Ask>
  );
}
