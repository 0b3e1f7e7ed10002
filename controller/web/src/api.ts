// Calls to the controller. The page has no way past the public API, and no rights but those of whoever looks at it: where
// tokens are on, the person gives one, which is kept for this tab alone.
import { signal } from "@preact/signals";

const TOKEN = "token";

/** Whether the controller asks for a token that we do not have: the page then shows nothing but the question. */
export const locked = signal(false);

/** An answer other than success, as the controller gave it; status 0: there was none. */
export class Refused extends Error {
  constructor(readonly status: number, readonly body: { error: string; code: string; details?: string; request_id?: string; [more: string]: unknown }) {
    super(body.error);
  }
}

export function giveToken(token: string): void {
  sessionStorage.setItem(TOKEN, token);
  locked.value = false;
}

/** Whether a token was given, and is not taken (any more). */
export const refusedToken = () => locked.value && sessionStorage.getItem(TOKEN) !== null;

export function headers(more: Record<string, string> = {}): Record<string, string> {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

/** An address of the API: it lies beside the page's folder, also behind a proxy that adds a prefix. */
export function address(path: string): string {
  return new URL(`..${path}`, document.baseURI).href;
}

/** The id of a call; what it changes is remembered under it, so it says that it came from here. */
function signed(): Record<string, string> {
  return { "X-Request-ID": `dashboard:${Array.from(crypto.getRandomValues(new Uint8Array(4)), (byte) => byte.toString(16).padStart(2, "0")).join("")}` };
}

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  let response: Response;
  try {
    response = await fetch(address(path), {
      method,
      headers: headers({ Accept: "application/json", ...signed(), ...(body === undefined ? {} : { "Content-Type": "application/json" }) }),
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
    });
  } catch (error) {
    throw new Refused(0, { error: String(error), code: "unreachable" });
  }
  const told = await response.json().catch(() => ({ error: response.statusText, code: "not_json" }));
  if (response.status === 401) locked.value = true;
  if (!response.ok) throw new Refused(response.status, told);
  return told as T;
}

export const get = <T>(path: string) => call<T>("GET", path);
export const post = <T>(path: string, body: unknown = {}) => call<T>("POST", path, body);
export const patch = <T>(path: string, body: unknown) => call<T>("PATCH", path, body);
export const put = <T>(path: string, body: unknown) => call<T>("PUT", path, body);
