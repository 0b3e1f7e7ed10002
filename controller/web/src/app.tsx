// The frame around the views: who we look at, where one may go, what is wrong, and the view itself.
import { locked } from "./api";
import { DesiredView } from "./desired/view";
import { EventsView } from "./events/view";
import { Banners } from "./frame/banners";
import { Bar } from "./frame/bar";
import { SignIn } from "./frame/signin";
import "./frame/frame.css";
import { HistoryView } from "./history/view";
import { link, status } from "./live";
import { NodesView } from "./nodes/view";
import { KeysHelp } from "./parts/keys";
import "./parts/parts.css";
import { Toasts } from "./parts/toast";
import { route, type View } from "./route";
import { UsersView } from "./users/view";
import { words } from "./words";

const t = words({ skip: "Skip to the content" }, { skip: "跳到正文" });

const SHOWN: Record<View, () => preact.JSX.Element> = {
  users: UsersView,
  nodes: NodesView,
  desired: DesiredView,
  history: HistoryView,
  events: EventsView,
};

export function App() {
  if (locked.value) return <SignIn />;
  const Shown = SHOWN[route.value.view];
  const old = link.value === "lost" || status.value?.engine.reachable === false;
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById("main")!.focus()}>{t.value.skip}</button>
      <Bar />
      <main id="main" class={old ? "old" : ""} tabIndex={-1}>
        <Banners />
        <Shown />
      </main>
      <Toasts />
      <KeysHelp />
    </>
  );
}
