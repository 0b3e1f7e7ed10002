// The connection to the session: calls and their answers, notifications, and coming back by itself when it is lost.
// It goes to `ws` beside the page, so that it works wherever the page does (another host port, a reverse proxy, a path
// prefix, an iframe) without being told an address.
import type { Calls, Notifications } from "./protocol";
import { checkToken, withToken } from "./token";

const LONGEST_RETRY = 5000; // ms between attempts to connect
const SILENCE = 10_000; // ms that an attempt to connect, or the answer to `status`, may take

export class NotConnected extends Error {}

/** The session refused a call; `reason`: why, in one word, where it is about a file. */
export class Refused extends Error {
  constructor(readonly code: number, message: string, readonly reason = "") { super(message); }
}

interface Message {
  method?: string;
  params?: unknown;
  id?: number;
  result?: never;
  error?: { code: number; message: string; data?: { reason: string } };
}

interface Waiting { answered(result: never): void; failed(error: Error): void }
type Hearer<M extends keyof Notifications> = (params: Notifications[M]) => void;

export class Connection {
  private socket?: WebSocket;
  private attempts = 0;
  private nextId = 1;
  private waiting = new Map<number, Waiting>();
  private hearers = new Map<string, Hearer<never>[]>();
  private timer = 0;
  private patience = 0;
  private lost: () => void = () => {};

  on<M extends keyof Notifications>(method: M, hear: Hearer<M>): void {
    this.hearers.set(method, [...(this.hearers.get(method) ?? []), hear as Hearer<never>]);
  }

  onLost(lost: () => void): void { this.lost = lost; }

  hear(method: string, params: unknown): void {
    for (const hear of this.hearers.get(method) ?? []) hear(params as never);
  }

  connect(): void {
    clearTimeout(this.timer);
    const address = withToken("ws?transcript=1");
    address.protocol = address.protocol.replace("http", "ws");
    const socket = this.socket = new WebSocket(address);
    let opened = false;
    this.awaitSign();
    socket.onopen = () => { opened = true; };
    socket.onmessage = ({ data }) => this.take(JSON.parse(data));
    socket.onclose = () => {
      this.lose();
      if (!opened) checkToken().catch(() => {}); // the session is away
    };
  }

  /** Whoever comes back to the page, or to the network, need not wait for the next attempt. */
  hurry(): void {
    if (this.socket) return;
    this.attempts = 0;
    this.connect();
  }

  get open(): boolean { return this.socket?.readyState === WebSocket.OPEN; }

  call<M extends keyof Calls>(method: M, params: Calls[M]["params"]): Promise<Calls[M]["result"]> {
    return new Promise((answered, failed) => {
      if (!this.open) throw new NotConnected();
      const id = this.nextId++;
      this.waiting.set(id, { answered, failed });
      if (method === "status") this.awaitSign(); // it is answered at once, whatever the session does
      this.socket!.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }

  /** A machine that went away does not say so: a connection on which nothing comes, though it should, is lost. */
  private awaitSign(): void {
    this.patience ||= setTimeout(() => {
      const { socket } = this;
      if (socket) socket.onopen = socket.onmessage = socket.onclose = null; // it may take its time to close
      socket?.close();
      this.lose();
    }, SILENCE);
  }

  private lose(): void {
    this.heardSomething();
    this.socket = undefined;
    for (const { failed } of this.waiting.values()) failed(new NotConnected());
    this.waiting.clear();
    this.lost();
    this.timer = setTimeout(() => this.connect(), Math.min(LONGEST_RETRY, 250 * 2 ** this.attempts++));
  }

  private heardSomething(): void {
    clearTimeout(this.patience);
    this.patience = 0;
  }

  private take(message: Message): void {
    this.heardSomething();
    if (message.method) {
      this.attempts = 0;
      this.hear(message.method, message.params);
      return;
    }
    const waiting = this.waiting.get(message.id ?? 0);
    this.waiting.delete(message.id ?? 0);
    const { error } = message;
    if (error) waiting?.failed(new Refused(error.code, error.message, error.data?.reason));
    else waiting?.answered(message.result as never);
  }
}
