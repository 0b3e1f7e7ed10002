// The difference of two texts, as a part of a view.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Skeleton } from "../parts/skeleton";
import { language, words } from "../words";

const t = words(
  { same: "The two texts are the same.", whole: "All lines" },
  { same: "两份文本相同。", whole: "显示所有行" },
);

const ROOM = 860; // px for two texts side by side

interface DiffProps { before: string; after: string; was: string; becomes: string }

export function Diff({ before, after, was, becomes }: DiffProps) {
  const place = useRef<HTMLDivElement>(null);
  const shown = useSignal(false);
  const whole = useSignal(false);
  const besides = useSignal(true);
  const [lang, all, wide] = [language.value, whole.value, besides.value];

  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => (besides.value = entry!.contentRect.width >= ROOM));
    watch.observe(place.current!.parentElement!);
    return () => watch.disconnect();
  }, []);

  useEffect(() => {
    if (before === after) return;
    let gone: (() => void) | undefined;
    let left = false;
    void import("./compare").then(({ compare }) => {
      if (left) return;
      gone = compare(place.current!, { text: before, label: was }, { text: after, label: becomes }, { besides: wide, whole: all });
      shown.value = true;
    });
    return () => {
      left = true;
      gone?.();
    };
  }, [before, after, was, becomes, wide, all, lang]);

  return (
    <div class="diff">
      {before === after && <p class="soft">{t.value.same}</p>}
      {before !== after && (
        <header class={wide ? "besides" : ""}>
          <span><del>{was}</del></span>
          <span><ins>{becomes}</ins></span>
          <label><input type="checkbox" checked={all} onChange={() => (whole.value = !all)} /> {t.value.whole}</label>
        </header>
      )}
      {before !== after && !shown.value && <Skeleton rows={4} />}
      <div ref={place} class="diff-text" />
    </div>
  );
}
