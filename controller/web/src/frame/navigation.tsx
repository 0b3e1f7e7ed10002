// Where one may go: beside the product's name, and on a phone at the bottom, where a thumb reaches it.
import { Icon, type IconName } from "../parts/icon";
import { linkTo, route, VIEWS, type View } from "../route";
import { users, status } from "../live";
import { isSwarm } from "../nodes/known";
import { needsAttention, standing } from "../standing";
import { computed } from "@preact/signals";
import { words } from "../words";

const viewWords = words<Record<View, string> & { label: string; attention: (count: number) => string; waits: string }>(
  {
    users: "Users", nodes: "Nodes", desired: "Desired state", history: "History", events: "Events", label: "Views",
    attention: (count) => (count === 1 ? "1 needs attention" : `${count} need attention`), waits: "something needs a decision",
  },
  {
    users: "用户", nodes: "节点", desired: "期望状态", history: "历史", events: "事件", label: "视图",
    attention: (count) => `${count} 位需要处理`, waits: "有事项待决定",
  },
);

const ICONS: Record<View, IconName> = { users: "users", nodes: "engine", desired: "desired", history: "history", events: "events" };

/** How many users somebody should have a look at. */
export const attention = computed(() => [...(users.value?.values() ?? [])].filter((each) => needsAttention(standing(each).state)).length);

export function Navigation() {
  const asked = status.value?.pending != null || status.value?.desired_state.valid === false;
  return (
    <nav class="views" aria-label={viewWords.value.label}>
      {VIEWS.filter((view) => view !== "nodes" || isSwarm.value).map((view) => (
        <a key={view} href={linkTo(view)} aria-current={route.value.view === view ? "page" : undefined}>
          <Icon name={ICONS[view]} />
          <span>{viewWords.value[view]}</span>
          {view === "users" && attention.value > 0 && (
            <span class="count bad">
              {attention.value}
              <span class="unseen"> {viewWords.value.attention(attention.value)}</span>
            </span>
          )}
          {view === "desired" && asked && <span class="count dot"><span class="unseen">{viewWords.value.waits}</span></span>}
        </a>
      ))}
    </nav>
  );
}
