// Where tokens are on, nothing is shown without one.
import { useSignal } from "@preact/signals";
import { address, giveToken, refusedToken } from "../api";
import { Icon } from "../parts/icon";
import { words } from "../words";
import { Choices } from "./bar";

const t = words(
  {
    title: "This controller asks for a token", token: "Token", enter: "Show the dashboard", wrong: "The controller does not know this token, or it has expired.",
    silent: "The controller cannot be reached.", make: "On the controller's machine, this makes one:", kept: "It is kept for this tab alone, and forgotten when the tab is closed.",
    reads: "With", readsMore: "it may only look.",
  },
  {
    title: "此控制器需要令牌", token: "令牌", enter: "进入管理界面", wrong: "控制器不认识此令牌，或令牌已过期。",
    silent: "无法连接控制器。", make: "在控制器所在的机器上，这样创建一个：", kept: "令牌只保存在此标签页中，关闭标签页即遗忘。",
    reads: "加上", readsMore: "则只能查看。",
  },
);

export function SignIn() {
  const token = useSignal("");
  const wrong = useSignal(refusedToken() ? t.value.wrong : "");
  const busy = useSignal(false);

  const enter = async (event: Event) => {
    event.preventDefault();
    busy.value = true;
    try {
      const given = token.value.trim();
      const response = await fetch(address("/v1/status"), { headers: { Authorization: `Bearer ${given}` }, cache: "no-store" });
      if (response.status === 401) wrong.value = t.value.wrong;
      else giveToken(given);
    } catch {
      wrong.value = t.value.silent;
    } finally {
      busy.value = false;
    }
  };
  return (
    <main class="signin">
      <form class="signin-pane" onSubmit={enter}>
        <header><h1><Icon name="lock" /> {t.value.title}</h1><Choices /></header>
        <label class="field">
          <span>{t.value.token}</span>
          <input
            type="password" autocomplete="off" spellcheck={false} autofocus required placeholder="mcm_…" class="mono"
            aria-invalid={wrong.value !== ""} aria-describedby="signin-wrong"
            value={token.value} onInput={(event) => (token.value = event.currentTarget.value)}
          />
        </label>
        <p id="signin-wrong" class="signin-wrong" role="alert">{wrong.value}</p>
        <button type="submit" class="primary" disabled={busy.value || !token.value.trim()}>{t.value.enter}</button>
        <p class="soft">{t.value.make}</p>
        <pre><code>matlabctl token create --name dashboard</code></pre>
        <p class="soft">{t.value.reads} <code>--scope read</code> {t.value.readsMore} {t.value.kept}</p>
      </form>
    </main>
  );
}
