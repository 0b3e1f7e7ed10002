// What is known now, kept by one stream of server-sent events: everything that shows the present reads these signals.
//
// A hidden tab holds no connection (browsers allow six for each host); it catches up when it is looked at again. What
// happened meanwhile is replayed by the controller from the last id that we saw.
import { EventSourceParserStream } from "eventsource-parser/stream";
import { batch, signal } from "@preact/signals";
import { address, headers, locked } from "./api";
import type { Happened, Sample, Status, User } from "./types";

type Link = "connecting" | "live" | "lost";

export const link = signal<Link>("connecting");
/** When the last message came, by this machine's clock: how old what is shown is, once the link is lost. */
export const heardAt = signal(0);
export const status = signal<Status | null>(null);
/** Everybody who is declared or has a container, by ascending id; `null` until the first message. */
export const users = signal<ReadonlyMap<number, User> | null>(null);
export const samples = signal<readonly Sample[]>([]);
/** What happened since the page was opened, oldest first; what lies further back is asked for where it is shown. */
export const happened = signal<readonly Happened[]>([]);
/** How often more happened, while the page was not looked at, than is replayed: what shows the past has to ask anew. */
export const gaps = signal(0);
/** Ticks each second, for ages and countdowns. */
export const now = signal(Date.now());

const SAMPLES_KEPT = 60;
const HAPPENED_KEPT = 2000;
const AT_ONCE = 20; // users
const SILENCE = 40_000; // ms; the controller says something every 15 s
const FIRST_WAIT = 500;
const LONGEST_WAIT = 10_000;

let lastId = "";
let running: AbortController | null = null;

/** Keep the stream as long as the page is looked at. */
export function keepLive(): void {
  setInterval(() => (now.value = Date.now()), 1000);
  document.addEventListener("visibilitychange", () => (document.hidden ? pause() : resume()));
  locked.subscribe((asks) => (asks ? pause() : resume()));
}

function pause(): void {
  running?.abort();
  running = null;
}

function resume(): void {
  if (running || document.hidden || locked.value) return;
  running = new AbortController();
  void follow(running.signal);
}

async function follow(stopped: AbortSignal): Promise<void> {
  let wait = FIRST_WAIT;
  while (!stopped.aborted) {
    try {
      await listen(stopped, () => (wait = FIRST_WAIT));
    } catch {
      // told by `link`; tried again below
    }
    if (stopped.aborted) return;
    link.value = "lost";
    await new Promise((done) => setTimeout(done, wait * (0.75 + Math.random() / 2)));
    wait = Math.min(2 * wait, LONGEST_WAIT);
  }
}

async function listen(stopped: AbortSignal, heard: () => void): Promise<void> {
  const silent = new AbortController();
  let alarm = setTimeout(() => silent.abort(), SILENCE);
  const alive = () => {
    clearTimeout(alarm);
    alarm = setTimeout(() => silent.abort(), SILENCE);
    heardAt.value = Date.now();
  };
  try {
    const response = await fetch(address("/v1/watch"), {
      headers: headers({ Accept: "text/event-stream", ...(lastId ? { "Last-Event-ID": lastId } : {}) }),
      signal: AbortSignal.any([stopped, silent.signal]),
      cache: "no-store",
    });
    if (response.status === 401) locked.value = true;
    if (!response.ok || !response.body) throw new Error(response.statusText);
    const messages = response.body
      .pipeThrough(new TransformStream<Uint8Array, Uint8Array>({ transform: (chunk, out) => { alive(); out.enqueue(chunk); } }))
      .pipeThrough(new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>)
      .pipeThrough(new EventSourceParserStream())
      .getReader();
    for (;;) {
      const { value, done } = await messages.read();
      if (done) return;
      heard();
      if (value.id) lastId = value.id;
      if (value.event === "users") await takeUsers(JSON.parse(value.data));
      else batch(() => take(value.event ?? "", JSON.parse(value.data)));
    }
  } finally {
    clearTimeout(alarm);
    silent.abort();
  }
}

function take(kind: string, data: any): void {
  link.value = "live";
  switch (kind) {
    case "status":
      status.value = data;
      break;
    case "usage": {
      const later = (data.samples as Sample[]).filter((each) => each.at > (samples.value.at(-1)?.at ?? ""));
      samples.value = [...samples.value, ...later].slice(-SAMPLES_KEPT);
      break;
    }
    case "happened":
      happened.value = [...happened.value, data as Happened].slice(-HAPPENED_KEPT);
      break;
    case "gap":
      gaps.value += 1;
      break;
  }
}

/** Who changed, some at a time: a hundred rows drawn anew in one go would keep the keyboard waiting. */
async function takeUsers({ all, users: told, gone }: { all: boolean; users: User[]; gone: number[] }): Promise<void> {
  link.value = "live";
  const had = users.value;
  const there = new Set(told.map((each) => each.user_id));
  const next = new Map([...(had ?? [])].filter(([id]) => (all ? there.has(id) : !gone.includes(id))));
  const changed = told.filter((each) => !same(next.get(each.user_id), each));
  const step = had ? AT_ONCE : Infinity;
  for (let from = 0; from === 0 || from < changed.length; from += step) {
    if (from) await new Promise((done) => setTimeout(done));
    for (const user of changed.slice(from, from + step)) next.set(user.user_id, user);
    users.value = new Map([...next].sort(([one], [other]) => one - other));
  }
}

/** Whether nothing in it changed: what shows it need not be drawn anew. */
const same = (had: User | undefined, told: User) => had !== undefined && JSON.stringify(had) === JSON.stringify(told);
