export function DesiredView() {
  return <h1>desired</h1>;
}
