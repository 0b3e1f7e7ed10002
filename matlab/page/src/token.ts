// The session's token, where it asks for one. It comes in the page's address, is taken out of it, and goes with every
// call; reloads find it in this tab's memory (locked.html looks there, too). No cookie: browsers send a cookie to every
// port of a machine, which are other people's sessions, and not at all from a frame in another site's page.

const NAME = `token ${location.pathname}`;

const token = taken();

function taken(): string {
  const given = new URLSearchParams(location.search).get("token");
  try {
    if (given === null) return sessionStorage.getItem(NAME) ?? "";
    sessionStorage.setItem(NAME, given);
    history.replaceState(history.state, "", location.pathname);
  } catch {
    // this frame may remember nothing: then the token stays in the address
  }
  return given ?? "";
}

/** An address of the session, beside the page, which wants the token in it: a WebSocket's or a download's. */
export function withToken(path: string): URL {
  const address = new URL(path, location.href);
  if (token) address.searchParams.set("token", token);
  return address;
}

/** For what can be sent a header. */
export function tokenHeaders(): Record<string, string> { return token ? { Authorization: `Bearer ${token}` } : {}; }

/** Come anew where the token is no longer the right one, for the session to say so: it was made anew meanwhile. */
export async function checkToken(): Promise<void> {
  if (!token) return;
  const { status } = await fetch("./", { method: "HEAD", headers: tokenHeaders(), cache: "no-store" });
  if (status === 401) location.replace(withToken("./"));
}
