// Give sessions to users by number: `1-30, 35`.
import { computed, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { patch } from "../api";
import { users } from "../live";
import { Ask } from "../parts/ask";
import { toast } from "../parts/toast";
import { linkTo } from "../route";
import { ranges, words } from "../words";
import { ProfileChoice, whom } from "./act";
import { askOffered, offered } from "./profiles";

const t = words(
  {
    title: "Add users", ids: "Users", hint: "Numbers and ranges: 1-30, 35", standard: "As the desired state's default", session: "Session id (optional, for one user)",
    add: (count: number) => (count > 1 ? `Add ${count} users` : "Add"),
    wrong: (part: string) => `${part} is no number and no range such as 1-30.`, high: (most: number) => `Users have numbers from 1 to ${most}.`,
    there: (ids: string) => `There already, and left as they are: ${ids}.`, all: "All of these are there already.", fresh: (ids: string) => `New: ${ids}.`,
    done: (who: string) => `Starting ${who}`, written: (generation: number) => `Written as generation ${generation}.`, history: "History",
  },
  {
    title: "添加用户", ids: "用户", hint: "编号与范围：1-30, 35", standard: "按期望状态的默认值", session: "会话 ID（可选，仅限一位用户）",
    add: (count: number) => (count > 1 ? `添加 ${count} 位用户` : "添加"),
    wrong: (part: string) => `${part} 不是编号，也不是 1-30 这样的范围。`, high: (most: number) => `用户编号为 1 到 ${most}。`,
    there: (ids: string) => `已存在，保持不变：${ids}。`, all: "这些用户都已存在。", fresh: (ids: string) => `新增：${ids}。`,
    done: (who: string) => `正在启动${who}`, written: (generation: number) => `已写入，为第 ${generation} 代。`, history: "历史",
  },
);

export const adding = signal(false);
const typed = signal("");
const profile = signal("");
const session = signal("");

const MOST = 999;

/** Who is meant; or what is wrong with what was typed. */
const meant = computed<{ ids: number[]; problem: string }>(() => {
  const found = new Set<number>();
  const most = offered.value?.most ?? MOST;
  for (const part of typed.value.split(/[\s,，、;]+/).filter(Boolean)) {
    const match = /^(\d{1,4})(?:[-–~](\d{1,4}))?$/.exec(part);
    if (!match) return { ids: [], problem: t.value.wrong(part) };
    const [from, to] = [Number(match[1]), Number(match[2] ?? match[1])];
    if (from < 1 || to > most) return { ids: [], problem: t.value.high(most) };
    if (to < from) return { ids: [], problem: t.value.wrong(part) };
    for (let id = from; id <= to; id++) found.add(id);
  }
  return { ids: [...found].sort((one, other) => one - other), problem: "" };
});
const declared = (id: number) => users.value?.get(id)?.desired != null;
const fresh = computed(() => meant.value.ids.filter((id) => !declared(id)));

export function Adding() {
  return adding.value ? <Form /> : null;
}

function Form() {
  useEffect(askOffered, []);
  const { ids, problem } = meant.value;
  const there = ids.filter(declared);
  const add = async () => {
    const entry = { ...(profile.value && { profile: profile.value }), ...(session.value && fresh.value.length === 1 && { session_id: session.value }) };
    const asked = fresh.value;
    const { generation } = await patch<{ generation: number }>("/v1/users", { users: Object.fromEntries(asked.map((id) => [id, entry])) });
    toast({
      tone: "good", text: t.value.done(whom(asked)), more: t.value.written(generation), actions: <a href={linkTo("history", generation)}>{t.value.history}</a>,
    });
    typed.value = session.value = "";
  };
  return (
    <Ask title={t.value.title} action={t.value.add(fresh.value.length)} ready={fresh.value.length > 0} run={add} close={() => (adding.value = false)}>
      <label class="field">
        <span>{t.value.ids}</span>
        <input
          autofocus autocomplete="off" placeholder="1-30, 35" aria-describedby="adding-told" aria-invalid={problem !== ""}
          value={typed.value} onInput={(event) => (typed.value = event.currentTarget.value)}
        />
      </label>
      <p id="adding-told" class="adding-told" aria-live="polite">
        {problem ? <span class="bad">{problem}</span> : ids.length === 0 ? <span class="soft">{t.value.hint}</span> : (
          <>
            {fresh.value.length > 0 ? t.value.fresh(ranges(fresh.value)) : t.value.all}
            {there.length > 0 && fresh.value.length > 0 && <span class="soft"> {t.value.there(ranges(there))}</span>}
          </>
        )}
      </p>
      <ProfileChoice value={profile.value} choose={(chosen) => (profile.value = chosen)} standard={t.value.standard} />
      {fresh.value.length === 1 && (
        <label class="field">
          <span>{t.value.session}</span>
          <input autocomplete="off" class="mono" maxLength={128} pattern="[A-Za-z0-9._:@\-]+" value={session.value} onInput={(event) => (session.value = event.currentTarget.value)} />
        </label>
      )}
    </Ask>
  );
}
