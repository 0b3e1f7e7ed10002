// A state in a word: its colour says how good that is, its drawing says the same to whoever sees no colours.
import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./icon";

export type Tone = "good" | "working" | "warn" | "bad" | "off";

interface PillProps { tone: Tone; icon?: IconName; title?: string; children: ComponentChildren }

export function Pill({ tone, icon, title, children }: PillProps) {
  return (
    <span class={`pill ${tone}`} title={title}>
      {icon && <Icon name={icon} />}
      <span>{children}</span>
    </span>
  );
}
