// The connection to the session: calls and their answers, notifications, and coming back by itself when it is lost.
// It goes to `ws` beside the page, so that it works wherever the page does (another host port, a reverse proxy, a path
// prefix, an iframe) without being told an address.
import type { Calls, Notifications } from "./protocol";
import { checkToken, withToken } from "./token";

const LONGEST_RETRY = 5000; // ms between attempts to connect
const SILENCE = 10_000; // ms that an attempt may take

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
    const patience = setTimeout(() => socket.close(), SILENCE);
    let opened = false;
    socket.onopen = () => {
      clearTimeout(patience);
      opened = true;
    };
    socket.onmessage = ({ data }) => this.take(JSON.parse(data));
    socket.onclose = () => {
      clearTimeout(patience);
      for (const { failed } of this.waiting.values()) failed(new NotConnected());
      this.waiting.clear();
      this.lost();
      if (!opened) checkToken().catch(() => {}); // the session is away
      this.timer = setTimeout(() => this.connect(), Math.min(LONGEST_RETRY, 250 * 2 ** this.attempts++));
    };
  }

  /** Whoever comes back to the page, or to the network, need not wait for the next attempt. */
  hurry(): void {
    if (this.socket?.readyState !== WebSocket.CLOSED) return;
    this.attempts = 0;
    this.connect();
  }

  get open(): boolean { return this.socket?.readyState === WebSocket.OPEN; }

  call<M extends keyof Calls>(method: M, params: Calls[M]["params"]): Promise<Calls[M]["result"]> {
    return new Promise((answered, failed) => {
      if (!this.open) throw new NotConnected();
      const id = this.nextId++;
      this.waiting.set(id, { answered, failed });
      this.socket!.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }

  private take(message: Message): void {
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
