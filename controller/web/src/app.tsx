// The frame around the views: who we look at, where one may go, what is wrong, and the view itself.
import { locked } from "./api";
import { DesiredView } from "./desired/view";
import { EventsView } from "./events/view";
import { HistoryView } from "./history/view";
import { route, type View } from "./route";
import { UsersView } from "./users/view";

const SHOWN: Record<View, () => preact.JSX.Element> = {
  users: UsersView,
  desired: DesiredView,
  history: HistoryView,
  events: EventsView,
};

export function App() {
  const Shown = SHOWN[route.value.view];
  return locked.value ? <p>locked</p> : <main id="main"><Shown /></main>;
}
