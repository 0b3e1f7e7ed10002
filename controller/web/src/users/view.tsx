export function UsersView() {
  return <h1>users</h1>;
}
