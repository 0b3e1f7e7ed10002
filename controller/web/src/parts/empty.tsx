// A list with nothing in it: why that is, and what to do.
import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./icon";

interface EmptyProps { icon: IconName; title: ComponentChildren; actions?: ComponentChildren; children?: ComponentChildren }

export function Empty({ icon, title, actions, children }: EmptyProps) {
  return (
    <div class="empty">
      <Icon name={icon} />
      <h2>{title}</h2>
      {children && <p>{children}</p>}
      {actions && <div class="empty-actions">{actions}</div>}
    </div>
  );
}
