export function HistoryView() {
  return <h1>history</h1>;
}
