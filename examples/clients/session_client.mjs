// Run commands in a session over its WebSocket: node session_client.mjs ws://localhost:31001/ "x = magic(4)" "x'"
//
// Prints what each command prints, while it runs. The class works unchanged in a browser; Node has WebSocket from
// version 22 on (before: npm install ws, and import it). Protocol: docs/session-protocol.md

const PATIENCE = 60_000; // milliseconds that a session may take to come back
const LOST = "The connection was lost; how far the command got is not known.";

// A session, connected to when it is first called, and again whenever the connection was lost.
export class SessionClient {
  #address;
  #hear;
  #socket;
  #startedAt;
  #lastId = 0;
  #calls = new Map();

  // hear: { output(params) {…}, input_request(params) {…}, figures(params) {…}, … }, and started_anew(): another
  // session than before is there, without the variables.
  constructor(address, hear = {}) {
    this.#address = address;
    this.#hear = hear;
  }

  // Rejects when the session says no, and when the connection was lost before the answer came; the next call connects
  // again.
  async call(method, params = {}) {
    this.#socket ??= this.#connect();
    const socket = await this.#socket;
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }

  close() { this.#socket?.then((socket) => socket.close(), () => {}); }

  // As soon as the session is there: its port opens when the interpreter is ready.
  async #connect() {
    for (const end = Date.now() + PATIENCE; ; await new Promise((over) => setTimeout(over, 500))) {
      const socket = new WebSocket(this.#address);
      const opened = await new Promise((over) => {
        socket.onopen = () => over(true);
        socket.onerror = () => over(false);
        socket.onmessage = ({ data }) => this.#read(JSON.parse(data));
      });
      if (opened) {
        socket.onclose = () => this.#lost();
        return socket;
      }
      if (Date.now() > end) {
        this.#socket = undefined;
        throw new Error(`cannot connect to ${this.#address}`);
      }
    }
  }

  #read({ id, method, params, result, error }) {
    if (method === "hello") this.#lookWhoIsThere(params.status.process.started_at);
    if (method) return this.#hear[method]?.(params);
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (error) call?.reject(new Error(error.message));
    else call?.resolve(result);
  }

  #lookWhoIsThere(startedAt) {
    if (this.#startedAt !== undefined && this.#startedAt !== startedAt) this.#hear.started_anew?.();
    this.#startedAt = startedAt;
  }

  #lost() {
    this.#socket = undefined;
    for (const { reject } of this.#calls.values()) reject(new Error(LOST));
    this.#calls.clear();
  }
}

async function main(address, commands) {
  if (typeof WebSocket === "undefined") {
    console.error("error: this Node has no WebSocket: take version 22 or newer, or import the package `ws`.");
    return 1;
  }
  const session = new SessionClient(address, {
    output: ({ text }) => process.stdout.write(text),
    started_anew: () => console.error("The session was started anew: its variables are gone."),
  });
  try {
    for (const code of commands) {
      const { status, error } = await session.call("eval", { code });
      if (status === "ok") continue;
      console.error(error ? `error: ${error.message}` : status);
      return 1;
    }
    const { variables } = await session.call("whos");
    console.log(`Variables: ${variables.map(({ name }) => name).join(", ")}`);
    return 0;
  } catch (error) {
    console.error(`error: ${error.message}`);
    return 1;
  } finally {
    session.close();
  }
}

if (typeof process !== "undefined" && import.meta.url === `file://${process.argv[1]}`) {
  const [address, ...commands] = process.argv.slice(2);
  if (!commands.length) console.error("node session_client.mjs ws://localhost:31001/ \"x = magic(4)\"");
  process.exitCode = commands.length ? await main(address, commands) : 1;
}
