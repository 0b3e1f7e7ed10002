// What can be done to one user, as a menu.
import { Icon } from "../parts/icon";
import { Menu } from "../parts/menu";
import { go } from "../route";
import type { User } from "../types";
import { act, concerns, DRAWN, KINDS } from "./act";
import { t } from "./words";

export function MoreMenu({ user }: { user: User }) {
  const details = () => ({ text: t.value.details, icon: "info" as const, run: () => go("users", user.user_id) });
  const items = () => KINDS.filter((kind) => concerns(kind, user)).map((kind) => ({
    text: t.value[kind], icon: DRAWN[kind], danger: kind === "destroy", run: () => act(kind, [user]),
  }));
  return (
    <Menu label={`${t.value.more}: ${t.value.user} ${user.user_id}`} class="quiet square" items={() => [details(), ...items()]}>
      <Icon name="more" class="dots" />
    </Menu>
  );
}
