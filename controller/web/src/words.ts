// Every word that the page says, in both languages, and which language that is: the person's choice, else the browser's.
//
// Each part of the page has its own words beside it and makes them known by `words({...}, {...})`. Of the controller's words,
// those for programs (reasons, states, kinds) are translated there as well, and its sentences by `said`.
import { computed, signal } from "@preact/signals";

export type Language = "en" | "zh";

const KEPT = "dashboard.language";

export const language = signal<Language>(
  (localStorage.getItem(KEPT) as Language | null) ?? (navigator.language.startsWith("zh") ? "zh" : "en"),
);
language.subscribe((chosen) => (document.documentElement.lang = chosen === "zh" ? "zh-CN" : "en"));

export function speak(chosen: Language): void {
  localStorage.setItem(KEPT, chosen);
  language.value = chosen;
}

/** The words of one part: `const t = words({save: "Save"}, {save: "保存"})`, then `t.value.save`. Both have the same keys. */
export function words<W>(en: W, zh: W) {
  return computed(() => (language.value === "zh" ? zh : en));
}

const inChinese = signal<((text: string) => string) | null>(null);
language.subscribe((chosen) => {
  if (chosen === "zh") void import("./chinese").then((known) => (inChinese.value = known.inChinese));
});

/** What the controller says in a sentence. */
export const said = (text: string) => (language.value === "zh" && inChinese.value ? inChinese.value(text) : text);

/** A number of bytes as a person reads it: `1.5 GiB`. */
export function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = count < 1 ? 0 : Math.min(Math.floor(Math.log2(count) / 10), units.length - 1);
  const value = count / 1024 ** power;
  return `${power && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}

/** A length of time as a person reads it: `3 s`, `5 min`, `2 h 10 min`, `3 d 4 h`. */
export function span(milliseconds: number): string {
  const zh = language.value === "zh";
  const [d, h, min, s] = zh ? [" 天", " 小时", " 分钟", " 秒"] : [" d", " h", " min", " s"];
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds}${s}`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}${min}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours}${h} ${minutes % 60}${min}` : `${hours}${h}`;
  return hours % 24 ? `${Math.floor(hours / 24)}${d} ${hours % 24}${h}` : `${Math.floor(hours / 24)}${d}`;
}

/** A moment: the time alone where it is today's. */
export function moment(iso: string): string {
  const at = new Date(iso);
  const today = at.toDateString() === new Date().toDateString();
  const locale = language.value === "zh" ? "zh-CN" : "en-GB";
  return today ? at.toLocaleTimeString(locale) : at.toLocaleString(locale, { dateStyle: "medium", timeStyle: "medium" });
}

/** A moment to the second, with the date and the time zone: for titles. */
export function exact(iso: string): string {
  const locale = language.value === "zh" ? "zh-CN" : "en-GB";
  return new Date(iso).toLocaleString(locale, { dateStyle: "full", timeStyle: "long" });
}

/** Whole numbers as people write them: `1-3, 7`. */
export function ranges(ids: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const id of [...ids].sort((one, other) => one - other)) {
    const run = runs.at(-1);
    if (run && id <= run[1] + 1) run[1] = id;
    else runs.push([id, id]);
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(", ");
}
