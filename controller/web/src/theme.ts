// Light or dark: the person's choice, else the system's.
import { signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const KEPT = "dashboard.theme";
const system = matchMedia("(prefers-color-scheme: dark)");

export const theme = signal<Theme>((localStorage.getItem(KEPT) as Theme | null) ?? "system");
const dark = signal(false);

export function choose(chosen: Theme): void {
  localStorage.setItem(KEPT, chosen);
  theme.value = chosen;
}

export function keepTheme(): void {
  const apply = () => {
    dark.value = theme.value === "dark" || (theme.value === "system" && system.matches);
    document.documentElement.dataset.theme = dark.value ? "dark" : "light";
  };
  theme.subscribe(apply);
  system.addEventListener("change", apply);
}
