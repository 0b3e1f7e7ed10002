// The top of the page: what we look at, whether what we see is the present, and how far the controller has come.
import { computed, effect, signal, useSignalEffect } from "@preact/signals";
import { heardAt, link, now, status, users } from "../live";
import { Icon } from "../parts/icon";
import { helpShown } from "../parts/keys";
import { Menu } from "../parts/menu";
import { Pill } from "../parts/pill";
import { Since } from "../parts/time";
import { standing, type State } from "../standing";
import { choose, theme, type Theme } from "../theme";
import { language, span, speak, words, type Language } from "../words";
import { attention, Navigation } from "./navigation";

const t = words(
  {
    product: "MATLAB Container Manager",
    engine: "Engine", away: "Engine away", since: "for", never: "never seen",
    live: "Live", connecting: "Connecting…", lost: "Connection lost",
    liveTitle: "What is shown is what is so: each change comes by itself",
    ready: (ready: number, of: number) => `${ready} of ${of} ready`,
    starting: (count: number) => `${count} starting`, waiting: (count: number) => `${count} waiting`, backing: (count: number) => `${count} backing off`,
    progress: "Sessions that are ready, of those that shall run",
    language: "Language", theme: "Appearance", keys: "Keys (?)",
    themes: { system: "As the system", light: "Light", dark: "Dark" } satisfies Record<Theme, string>,
  },
  {
    product: "MATLAB 容器管理器",
    engine: "引擎", away: "引擎不可达", since: "已", never: "从未连上",
    live: "实时", connecting: "连接中……", lost: "连接已断开",
    liveTitle: "所示即当前状况：变化会自动更新",
    ready: (ready: number, of: number) => `${ready} / ${of} 就绪`,
    starting: (count: number) => `${count} 启动中`, waiting: (count: number) => `${count} 排队`, backing: (count: number) => `${count} 退避中`,
    progress: "应当运行的会话中已就绪的",
    language: "语言", theme: "外观", keys: "键盘快捷键 (?)",
    themes: { system: "跟随系统", light: "浅色", dark: "深色" },
  },
);

const LANGUAGES: [Language, string][] = [["en", "English"], ["zh", "简体中文"]];
const THEMES: [Theme, "halves" | "sun" | "moon"][] = [["system", "halves"], ["light", "sun"], ["dark", "moon"]];
const COMING: readonly State[] = ["starting", "waiting"];
const THERE: readonly State[] = ["ready", "busy", "degraded"];
const CROWD = 3;

/** How far those who shall run have come, and how many are on the way: who has to wait for a next try is not. */
const coming = computed(() => {
  const wanted = [...(users.value?.values() ?? [])].filter((each) => each.desired?.state === "running").map(standing);
  return {
    of: wanted.length,
    ready: wanted.filter((each) => THERE.includes(each.state)).length,
    onTheWay: wanted.filter((each) => COMING.includes(each.state) && !each.next).length,
  };
});

/** Many came at once, and the last of them has not arrived yet. */
const crowd = signal(false);
effect(() => {
  const { onTheWay } = coming.value;
  if (onTheWay >= CROWD) crowd.value = true;
  else if (onTheWay === 0) crowd.value = false;
});

export function Bar() {
  useSignalEffect(() => {
    document.title = `${attention.value ? `(${attention.value}) ` : ""}${t.value.product}`;
  });
  return (
    <header class="bar">
      <div class="product">
        <img src="./icon.svg" alt="" width="20" height="20" />
        <span class="product-name">{t.value.product}</span>
        {status.value && <span class="instance" title={status.value.version}>{status.value.instance}</span>}
      </div>
      <Navigation />
      <span class="spread" />
      <Progress />
      <EnginePill />
      <LinkState />
      <div class="bar-menus">
        <Choices />
        <button type="button" class="quiet square keys-button" aria-label={t.value.keys} title={t.value.keys} onClick={() => (helpShown.value = true)}>
          <Icon name="keys" />
        </button>
      </div>
    </header>
  );
}

/** Of language and appearance: there as well where nothing else is shown yet. */
export function Choices() {
  return (
    <>
      <Menu label={t.value.language} class="quiet square" items={() => LANGUAGES.map(([each, text]) => ({ text, checked: language.value === each, run: () => speak(each) }))}>
        <Icon name="globe" />
      </Menu>
      <Menu
        label={t.value.theme}
        class="quiet square"
        items={() => THEMES.map(([each, icon]) => ({ text: t.value.themes[each], icon, checked: theme.value === each, run: () => choose(each) }))}
      >
        <Icon name={THEMES.find(([each]) => each === theme.value)![1]} />
      </Menu>
    </>
  );
}

function Progress() {
  const queue = status.value?.queue;
  if (!crowd.value || !queue) return null;
  const { ready, of } = coming.value;
  const parts = [
    queue.starting && t.value.starting(queue.starting),
    queue.queued && t.value.waiting(queue.queued),
    queue.backing_off && t.value.backing(queue.backing_off),
  ].filter(Boolean);
  return (
    <div class="crowd">
      <span class="number"><strong>{t.value.ready(ready, of)}</strong>{parts.length > 0 && <span class="crowd-parts"> · {parts.join(" · ")}</span>}</span>
      <progress value={ready} max={of} aria-label={t.value.progress} />
    </div>
  );
}

function EnginePill() {
  const engine = status.value?.engine;
  if (!engine) return null;
  if (engine.reachable) return <span class="engine" title={t.value.engine}><Icon name="engine" />{engine.version}</span>;
  return (
    <Pill tone="bad" icon="engine" title={engine.error}>
      {t.value.away} {engine.last_seen ? <>· <Since at={engine.last_seen} /></> : <>· {t.value.never}</>}
    </Pill>
  );
}

const silentFor = computed(() => span(now.value - heardAt.value));

function LinkState() {
  if (link.value === "live") return <span class="link good" title={t.value.liveTitle}><i />{t.value.live}</span>;
  if (link.value === "connecting") return <span class="link">{t.value.connecting}</span>;
  return <Pill tone="bad" icon="unlinked">{t.value.lost}{heardAt.value > 0 && <> · {silentFor}</>}</Pill>;
}
