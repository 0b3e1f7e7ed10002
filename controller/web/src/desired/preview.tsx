// What a text would do, before it does: what is wrong with it; else what it ends, what it changes, and every action with its
// reason.
import { Banner } from "../parts/banner";
import { Icon, type IconName } from "../parts/icon";
import type { EntryChange, Problem, Step, Planned } from "../types";
import { ranges, said, words } from "../words";
import { busyOf, Chips, endedBy, grouped } from "./people";

const t = words(
  {
    wrong: (count: number) => (count === 1 ? "One fault: it cannot be applied" : `${count} faults: it cannot be applied`),
    place: (line: number, column: number) => `Line ${line}, column ${column}`,
    whole: "The whole text",
    held: "The brake would hold this",
    waits: "Applied, it waits until somebody approves it:",
    ends: (count: number) => (count === 1 ? "Ends 1 session" : `Ends ${count} sessions`),
    busy: (count: number) => `${count} busy now`,
    lost: "Variables and running commands are lost; files stay.",
    endsNone: "Ends no session",
    changes: "Changes", actions: "Actions", users: (ids: string) => (/^\d+$/.test(ids) ? `user ${ids}` : `users ${ids}`), everybody: "everybody",
    none: "nothing", before: "before", after: "after",
    nothing: "Nothing changes: it says what is in force.", idle: "Nothing has to be done.",
    does: {
      create: "create", start: "start", stop: "stop", remove: "remove", update: "update limits", restart: "restart", move: "move", unpause: "unpause",
      rename: "rename", none: "cannot act",
    } as Record<string, string>,
  },
  {
    wrong: (count: number) => `有 ${count} 处错误，无法应用`,
    place: (line: number, column: number) => `第 ${line} 行第 ${column} 列`,
    whole: "整份文本",
    held: "刹车会拦下此改动",
    waits: "应用之后要等人批准：",
    ends: (count: number) => `会结束 ${count} 个会话`,
    busy: (count: number) => `其中 ${count} 个正忙`,
    lost: "变量和正在执行的命令会丢失，文件保留。",
    endsNone: "不会结束任何会话",
    changes: "改动", actions: "操作", users: (ids: string) => `用户 ${ids}`, everybody: "所有人",
    none: "无", before: "之前", after: "之后",
    nothing: "没有变化：与生效的状态一致。", idle: "无需任何操作。",
    does: {
      create: "创建", start: "启动", stop: "停止", remove: "移除", update: "更新限额", restart: "重启", move: "迁移", unpause: "解除暂停",
      rename: "改名", none: "无法操作",
    } as Record<string, string>,
  },
);

const ICONS: Record<string, IconName> = {
  create: "plus", start: "play", stop: "stop", remove: "trash", update: "profile", restart: "restart", move: "restart", unpause: "play", rename: "copy", none: "warn",
};
const HARD = ["stop", "remove", "restart"];

/** The controller's, in which what stands in the file is between backticks. */
function Sentence({ text }: { text: string }) {
  return <>{text.split(/`([^`]+)`/).map((part, at) => (at % 2 ? <code key={at}>{part}</code> : part))}</>;
}

export function Problems({ problems, goTo }: { problems: readonly Problem[]; goTo?: (problem: Problem) => void }) {
  return (
    <ol class="problems">
      {problems.map((each) => {
        const place = each.line ? t.value.place(each.line, each.column) : t.value.whole;
        return (
          <li key={`${each.line}:${each.column}`}>
            {goTo && each.line
              ? <button type="button" class="place" onClick={() => goTo(each)}>{place}</button>
              : <span class="place">{place}</span>}
            <span><Sentence text={each.message} /></span>
          </li>
        );
      })}
    </ol>
  );
}

/** The gist, for who does not see it. */
export function gist({ problems, actions }: Planned): string {
  if (problems.length) return t.value.wrong(problems.length);
  const ends = endedBy(actions).length;
  return ends ? t.value.ends(ends) : t.value.endsNone;
}

export function Preview({ planned, goTo }: { planned: Planned; goTo?: (problem: Problem) => void }) {
  if (planned.problems.length) {
    return (
      <div class="preview">
        <h3 class="headline bad"><Icon name="failed" />{t.value.wrong(planned.problems.length)}</h3>
        <Problems problems={planned.problems} goTo={goTo} />
      </div>
    );
  }
  return (
    <div class="preview">
      {planned.held && <Banner tone="warn" icon="approve" title={t.value.held}>{t.value.waits} {said(planned.held)}</Banner>}
      <Ended steps={planned.actions} />
      <h3>{t.value.changes}</h3>
      {planned.changes.length ? <Changes changes={planned.changes} /> : <p class="soft">{t.value.nothing}</p>}
      <h3>{t.value.actions}</h3>
      {planned.actions.length ? <Actions steps={planned.actions} /> : <p class="soft">{t.value.idle}</p>}
    </div>
  );
}

function Ended({ steps }: { steps: readonly Step[] }) {
  const ids = endedBy(steps);
  const busy = busyOf(ids);
  if (!ids.length) return <p class="headline good"><Icon name="ready" />{t.value.endsNone}</p>;
  return (
    <div class="ended">
      <p class="headline bad"><Icon name="stop" />{t.value.ends(ids.length)}{busy.length > 0 && <span>· {t.value.busy(busy.length)}</span>}</p>
      <Chips ids={ids} />
      <p class="soft">{t.value.lost}</p>
    </div>
  );
}

/** Users whose entries change alike are told together. */
export function Changes({ changes }: { changes: readonly EntryChange[] }) {
  const alike = grouped(changes, ({ user_id, before, after }) => JSON.stringify([user_id === null, before, after]));
  return (
    <table class="changes">
      <thead class="unseen">
        <tr><th scope="col">{t.value.users("")}</th><th scope="col">{t.value.before}</th><th scope="col">{t.value.after}</th></tr>
      </thead>
      <tbody>
        {alike.map(([key, [first, ...more]]) => (
          <tr key={key}>
            <th scope="row">{first!.user_id === null ? t.value.everybody : t.value.users(ranges([first!, ...more].map(({ user_id }) => user_id!)))}</th>
            <td>{first!.before === null ? <span class="soft">{t.value.none}</span> : <del><code>{first!.before}</code></del>}</td>
            <td><span class="arrow" aria-hidden="true">→</span>{first!.after === null ? <span class="soft">{t.value.none}</span> : <ins><code>{first!.after}</code></ins>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Actions({ steps }: { steps: readonly Step[] }) {
  const kinds = grouped(steps, ({ action }) => action);
  return (
    <div class="actions">
      {kinds.map(([action, ofKind]) => (
        <details key={action} open={kinds.length <= 4}>
          <summary class={HARD.includes(action) ? "hard" : undefined}>
            <Icon name="right" class="turns" /><Icon name={ICONS[action] ?? "working"} />
            {t.value.does[action] ?? action}
            <span class="count number">{ofKind.length}</span>
          </summary>
          <ul>
            {grouped(ofKind, ({ reason }) => reason).map(([reason, alike]) => (
              <li key={reason}>
                <strong>{t.value.users(ranges(alike.map(({ user_id }) => user_id)))}</strong>
                <span class="soft">{said(reason)}</span>
              </li>
            ))}
          </ul>
        </details>
      ))}
    </div>
  );
}
