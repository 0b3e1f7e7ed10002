// The class as cards: what fits a glance from the back of a room, and a phone.
import { StatePill } from "../parts/state";
import { linkTo } from "../route";
import { standing } from "../standing";
import type { User } from "../types";
import { words } from "../words";
import { Disk, Notes, OpenSession, Uptime, UsageCell } from "./cells";
import { choose, chosen, held, listed } from "./listed";
import { MoreMenu } from "./more";
import { useTint } from "./table";
import { t as shared } from "./words";

const t = words({ choose: (id: number) => `Choose user ${id}` }, { choose: (id: number) => `选择用户 ${id}` });

export function Cards() {
  return (
    <ul class="cards" onPointerEnter={() => (held.value = true)} onPointerLeave={() => (held.value = false)}>
      {listed.value.map((user) => <Card key={user.user_id} user={user} isChosen={chosen.value.has(user.user_id)} />)}
    </ul>
  );
}

function Card({ user, isChosen }: { user: User; isChosen: boolean }) {
  const id = user.user_id;
  const stands = standing(user);
  const card = useTint<HTMLLIElement>(stands.state);
  return (
    <li ref={card} class={isChosen ? "card chosen" : "card"} data-user={id} data-state={stands.state}>
      <div class="card-head">
        <input type="checkbox" aria-label={t.value.choose(id)} checked={isChosen} onClick={(event) => choose(id, event.shiftKey)} />
        <a class="card-user number" href={linkTo("users", id)}><span class="unseen">{shared.value.user} </span>{id}</a>
        <StatePill standing={stands} />
        <span class="spread" />
        <OpenSession user={user} />
        <MoreMenu user={user} />
      </div>
      <div class="notes"><Notes user={user} /></div>
      <div class="card-what soft">
        {user.desired?.session_id && <span class="mono" title={user.desired.session_id}>{user.desired.session_id}</span>}
        <span>{user.desired?.profile ?? shared.value.notDeclared}</span>
        <Uptime user={user} />
      </div>
      <dl class="card-figures number">
        <div><dt>{shared.value.cpu}</dt><dd><UsageCell user={user} which={0} width={64} height={22} /></dd></div>
        <div><dt>{shared.value.memory}</dt><dd><UsageCell user={user} which={1} width={64} height={22} /></dd></div>
        <div><dt>{shared.value.disk}</dt><dd><Disk user={user} /></dd></div>
      </dl>
    </li>
  );
}
