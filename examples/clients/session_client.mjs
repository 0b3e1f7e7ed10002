// Run commands in a session over its WebSocket: node session_client.mjs ws://localhost:31001/ "x = magic(4)" "x'"
//
// Prints what each command prints, while it runs. The class works unchanged in a browser; Node has WebSocket from
// version 22 on (before: npm install ws, and import it). Protocol: docs/session-protocol.md

export class SessionClient {
  #socket;
  #lastId = 0;
  #calls = new Map();

  // hear: { output(params) {…}, input_request(params) {…}, figures(params) {…}, … }
  constructor(address, hear = {}) {
    this.#socket = new WebSocket(address);
    this.opened = new Promise((resolve, reject) => {
      this.#socket.onopen = resolve;
      this.#socket.onerror = () => reject(new Error(`cannot connect to ${address}`));
    });
    this.#socket.onmessage = ({ data }) => {
      const { id, method, params, result, error } = JSON.parse(data);
      if (method) return hear[method]?.(params);
      const call = this.#calls.get(id);
      this.#calls.delete(id);
      if (error) call?.reject(new Error(error.message));
      else call?.resolve(result);
    };
    this.#socket.onclose = () => {
      for (const { reject } of this.#calls.values()) reject(new Error("The session has closed the connection."));
    };
  }

  call(method, params = {}) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }

  close() { this.#socket.close(); }
}

async function main(address, commands) {
  const session = new SessionClient(address, { output: ({ text }) => process.stdout.write(text) });
  await session.opened;
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
  } finally {
    session.close();
  }
}

if (typeof process !== "undefined" && import.meta.url === `file://${process.argv[1]}`) {
  const [address, ...commands] = process.argv.slice(2);
  if (!commands.length) console.error("node session_client.mjs ws://localhost:31001/ \"x = magic(4)\"");
  process.exitCode = commands.length ? await main(address, commands) : 1;
}
