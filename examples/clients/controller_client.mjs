// Give users sessions from a program or a page: node controller_client.mjs http://localhost:8080 7
//
// Needs nothing but `fetch`: Node has it from version 18 on, every browser has it. In a browser only pages of the API's
// own address may call it, so `new ControllerClient()` is for those. All calls: docs/api.md, or /docs of the API itself.

const WAITS = [1000, 2000, 4000]; // milliseconds before each further attempt
const LOOK = 10_000, CHANGE = 330_000; // milliseconds that an answer may take
const NOTHING_DONE = ["engine_unavailable", "not_persisted", "too_many_connections"];

// The controller answered, and said no.
export class Refused extends Error {
  constructor(status, body) {
    super([body.error, body.details].filter(Boolean).join(" "));
    this.status = status;
    this.code = body.code;
    this.requestId = body.request_id;
    this.body = body;
  }
}

// Nothing answers, or no controller: what became of the call is not known.
export class Unreachable extends Error {}

export class ControllerClient {
  #server;
  #token;
  #prefix;
  #waits;

  constructor(server = "", { token = "", prefix = "matlab-user-", waits = WAITS } = {}) {
    this.#server = server.replace(/\/$/, "");
    this.#token = token;
    this.#prefix = prefix;
    this.#waits = waits;
  }

  // sessionId is yours to choose: with it a call that comes late or twice can touch no other session.
  create(userId, sessionId) {
    return this.call("POST", "/create", { user_id: userId, session_id: sessionId }, { again: true });
  }
  destroy(userId, sessionId) {
    const name = this.#prefix + userId;
    const again = sessionId !== undefined;
    const gone = { message: "Container destroyed successfully", container_id: name };
    return this.call("POST", `/destroy/${name}`, { session_id: sessionId }, { again, gone });
  }
  restart(userId, sessionId) {
    return this.call("POST", `/restart/${this.#prefix}${userId}`, { session_id: sessionId });
  }
  health(userId) { return this.call("GET", `/health/${this.#prefix}${userId}`); }
  list() { return this.call("GET", "/list"); }
  user(userId) { return this.call("GET", `/v1/users/${userId}`); }
  users() { return this.call("GET", "/v1/users"); }
  status() { return this.call("GET", "/v1/status"); }

  // Until the session runs and both its services have answered; the error says why not.
  async waitReady(userId, seconds = 60, every = 500) {
    for (const end = Date.now() + seconds * 1000; ; await pause(every)) {
      const health = await this.health(userId);
      if (health.status === "running" && health.web_service === "healthy" && health.websocket_service === "healthy") {
        return health;
      }
      if (Date.now() + every > end) {
        throw new Error(`User ${userId}'s session is not ready after ${seconds} s: ${(await this.user(userId)).why}`);
      }
    }
  }

  // Any call of the API. again: it does no more when it is done twice, so that it may be repeated where an answer was
  // lost. gone: its answer where the repeated call finds nothing, since then the lost one had done it.
  async call(method, path, body, { again = method === "GET", gone } = {}) {
    let lost = false;
    for (let attempt = 0; ; attempt++) {
      const { status, retryAfter, answer, unsent, error } = await this.#send(method, path, body);
      const code = answer?.code;
      const repeat = error || [502, 503, 504].includes(status)
        ? unsent || NOTHING_DONE.includes(code) || (again && code === undefined)
        : status === 429;
      if (repeat && attempt < this.#waits.length) {
        lost ||= Boolean(error) && !unsent;
        await pause(Math.max(this.#waits[attempt], 1000 * (Number(retryAfter) || 0)));
        continue;
      }
      if (answer === undefined) {
        throw new Unreachable(`No controller can be reached at ${this.#server || "this address"}: ${error}`);
      }
      if (status === 404 && lost && gone) return gone;
      if (status >= 400) throw new Refused(status, answer);
      return answer;
    }
  }

  async #send(method, path, body) {
    const headers = { Accept: "application/json" };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (this.#token) headers.Authorization = `Bearer ${this.#token}`;
    try {
      const response = await fetch(this.#server + path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(method === "GET" ? LOOK : CHANGE),
      });
      const text = await response.text();
      const retryAfter = response.headers.get("Retry-After");
      try {
        return { status: response.status, retryAfter, answer: JSON.parse(text) };
      } catch {
        return { status: response.status, error: `${path} is not JSON there` };
      }
    } catch (failure) {
      const why = failure.cause ?? failure; // only Node tells more than that it failed
      return { error: why.code ?? why.message, unsent: why.code === "ECONNREFUSED" };
    }
  }
}

const pause = (milliseconds) => new Promise((over) => setTimeout(over, milliseconds));

async function main(server, userId) {
  const client = new ControllerClient(server, { token: process.env.MCM_TOKEN });
  const sessionId = `example-${process.pid}`;
  try {
    await client.create(userId, sessionId);
    try {
      await client.waitReady(userId);
      const { access_url } = await client.user(userId);
      console.log(`User ${userId}'s session is ready: ${access_url}`);
    } finally {
      console.log((await client.destroy(userId, sessionId)).message);
    }
    return 0;
  } catch (error) {
    console.error(`error: ${error.message}`);
    return 1;
  }
}

if (typeof process !== "undefined" && import.meta.url === `file://${process.argv[1]}`) {
  const [server, userId] = process.argv.slice(2);
  if (!userId) console.error("node controller_client.mjs http://localhost:8080 7");
  process.exitCode = userId ? await main(server, Number(userId)) : 1;
}
