// Light or dark: as the system says, unless the person chose.
import { $ } from "./dom";
import { keep, kept } from "./memory";
import { speak, words } from "./words";

type Choice = "system" | "light" | "dark";

const system = matchMedia("(prefers-color-scheme: dark)");
const listeners: (() => void)[] = [];
let choice: Choice = kept<Choice>("theme", "system");

export function isDark(): boolean { return choice === "dark" || (choice === "system" && system.matches); }

export function onTheme(changed: () => void): void { listeners.push(changed); }

export function followTheme(): void {
  const button = $("theme");
  const show = () => {
    document.documentElement.dataset.theme = isDark() ? "dark" : "light";
    const said = { system: words().themeSystem, light: words().themeLight, dark: words().themeDark }[choice];
    button.title = button.ariaLabel = said;
    listeners.forEach((changed) => changed());
  };
  button.onclick = () => {
    // the first click has to change something to be seen
    const order: Choice[] = system.matches ? ["system", "light", "dark"] : ["system", "dark", "light"];
    choice = order[(order.indexOf(choice) + 1) % order.length]!;
    keep("theme", choice);
    show();
  };
  system.addEventListener("change", show);
  speak(show);
}
