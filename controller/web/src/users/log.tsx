// The last lines of what a session printed: asked for when it is opened, whenever the session's state changes, and by a button.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { get } from "../api";
import { CopyButton } from "../parts/copy";
import { ErrorNote } from "../parts/error";
import { Icon } from "../parts/icon";
import { isRefused } from "../parts/toast";
import { standing } from "../standing";
import type { User } from "../types";
import { words } from "../words";
import { Part } from "./drawer";

const t = words(
  { title: "Log", refresh: "Ask again", wrap: "Wrap lines", empty: "It printed nothing.", none: "There is no container, and therefore no log.", log: "the log", label: "The last lines that the session printed" },
  { title: "日志", refresh: "重新读取", wrap: "自动换行", empty: "没有任何输出。", none: "没有容器，因此没有日志。", log: "日志", label: "会话最后输出的内容" },
);
const LINES = 200;

export function Log({ user }: { user: User }) {
  const lines = useSignal<string[] | null>(null);
  const wrong = useSignal<unknown>(null);
  const wrap = useSignal(true);
  const box = useRef<HTMLPreElement>(null);
  const ask = async () => {
    try {
      const answer = await get<{ lines: string[] }>(`/v1/users/${user.user_id}/logs?tail=${LINES}`);
      lines.value = answer.lines;
      wrong.value = null;
    } catch (error) {
      if (isRefused(error, "no_such_container")) lines.value = wrong.value = null;
      else wrong.value = error;
    }
  };
  const { container, status } = user.observed;
  useEffect(() => void ask(), [user.user_id, container?.id, status, standing(user).state]);
  useEffect(() => {
    const shown = box.current;
    if (shown) shown.scrollTop = shown.scrollHeight;
  }, [lines.value]);
  const text = lines.value?.join("\n") ?? "";
  return (
    <Part
      title={t.value.title}
      actions={
        <>
          <span class="spread" />
          {text && <CopyButton text={text} what={t.value.log} />}
          <button type="button" class="quiet small square" aria-label={t.value.wrap} title={t.value.wrap} aria-pressed={wrap.value} onClick={() => (wrap.value = !wrap.value)}><Icon name="wrap" /></button>
          <button type="button" class="quiet small square" aria-label={t.value.refresh} title={t.value.refresh} onClick={ask}><Icon name="restart" /></button>
        </>
      }
    >
      {wrong.value !== null ? <ErrorNote error={wrong.value} retry={ask} /> : lines.value === null ? <p class="soft">{container ? "" : t.value.none}</p> : (
        <pre ref={box} class={wrap.value ? "log wrapped" : "log"} tabIndex={0} role="region" aria-label={t.value.label}>{text || t.value.empty}</pre>
      )}
    </Part>
  );
}
