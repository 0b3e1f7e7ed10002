// Where a list will be, before it is there. It appears late, by its style sheet, so that what comes at once does not flicker.
import { words } from "../words";

const t = words({ loading: "Loading…" }, { loading: "正在加载……" });

export function Skeleton({ rows = 8 }: { rows?: number }) {
  return (
    <div class="skeleton" role="status">
      <span class="unseen">{t.value.loading}</span>
      {Array.from({ length: rows }, (_, row) => <div key={row} style={{ width: `${92 - ((row * 37) % 30)}%` }} />)}
    </div>
  );
}
