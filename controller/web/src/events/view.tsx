export function EventsView() {
  return <h1>events</h1>;
}
