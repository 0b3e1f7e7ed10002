// What everybody who looks at the page has to know before anything else, and what can be done about it.
import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./icon";
import type { Tone } from "./pill";

interface BannerProps {
  tone: Tone;
  icon: IconName;
  title: ComponentChildren;
  /** Buttons and links, on the right. */
  actions?: ComponentChildren;
  children?: ComponentChildren;
}

export function Banner({ tone, icon, title, actions, children }: BannerProps) {
  return (
    <div class={`banner ${tone}`}>
      <Icon name={icon} />
      <div class="banner-text">
        <strong>{title}</strong>
        {children && <div>{children}</div>}
      </div>
      {actions && <div class="banner-actions">{actions}</div>}
    </div>
  );
}
