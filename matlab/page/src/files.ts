// The user's files, as the session's service hands them out: small answers over the WebSocket, contents over HTTP.
// Paths are relative to the user's folder, with "/" between their parts; "" is that folder itself.
import type { Connection } from "./connection";
import { Refused } from "./connection";
import type { Entry } from "./protocol";

const LARGEST_TEXT = 8 * 1024 * 1024; // bytes that the editor opens

export interface Text { text: string; version: string }

export class NotText extends Error {}

/** Somebody else wrote the file after it was read. */
export class Changed extends Error {}

export class Files {
  private readonly changed: (() => void)[] = [];

  constructor(private readonly connection: Connection) {}

  /** Told after the page itself changed something. */
  onChange(listener: () => void): void { this.changed.push(listener); }

  async list(path: string): Promise<Entry[]> {
    return (await this.connection.call("files.list", { path })).entries;
  }

  async makeFolder(path: string): Promise<void> {
    await this.connection.call("files.mkdir", { path });
    this.tell();
  }

  async rename(from: string, to: string): Promise<void> {
    await this.connection.call("files.rename", { from, to });
    this.tell();
  }

  async remove(path: string): Promise<void> {
    await this.connection.call("files.delete", { path });
    this.tell();
  }

  /** @throws NotText for what the editor had better not open */
  async read(path: string): Promise<Text> {
    const answer = await fetch(address(path), { cache: "no-store" });
    if (!answer.ok) throw await refusal(answer);
    if (Number(answer.headers.get("Content-Length")) > LARGEST_TEXT) {
      void answer.body?.cancel();
      throw new NotText();
    }
    const bytes = await answer.arrayBuffer();
    try {
      const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      if (text.includes("\0")) throw new NotText();
      return { text, version: answer.headers.get("ETag") ?? "" };
    } catch {
      throw new NotText();
    }
  }

  /** Write a file whole. `version`: only if it still is what was read; "" for a new one. @throws Changed */
  async write(path: string, text: string, version: string | null): Promise<string> {
    const headers: Record<string, string> = {};
    if (version === "") headers["If-None-Match"] = "*";
    else if (version) headers["If-Match"] = version;
    const answer = await fetch(address(path), { method: "PUT", body: text, headers });
    if (answer.status === 412) throw new Changed();
    if (!answer.ok) throw await refusal(answer);
    this.tell();
    return answer.headers.get("ETag") ?? "";
  }

  upload(path: string, file: File, progress: (share: number) => void): Promise<void> {
    return new Promise((done, failed) => {
      const request = new XMLHttpRequest(); // fetch does not tell how far it is
      request.open("PUT", address(path));
      request.upload.onprogress = ({ loaded, total }) => progress(total ? loaded / total : 1);
      request.onerror = () => failed(new Error(""));
      request.onload = () => {
        if (request.status >= 400) return failed(new Refused(request.status, reason(request.responseText, request.statusText)));
        this.tell();
        done();
      };
      request.send(file);
    });
  }

  download(path: string): void {
    const link = document.createElement("a");
    link.href = address(path);
    link.download = path.slice(path.lastIndexOf("/") + 1);
    link.click();
  }

  private tell(): void { this.changed.forEach((listener) => listener()); }
}

export function joined(folder: string, name: string): string { return folder ? `${folder}/${name}` : name; }
export function folderOf(path: string): string { return path.slice(0, Math.max(0, path.lastIndexOf("/"))); }
export function nameOf(path: string): string { return path.slice(path.lastIndexOf("/") + 1); }

function address(path: string): string {
  return new URL(`files/${path.split("/").map(encodeURIComponent).join("/")}`, location.href.replace(/[?#].*/, "")).href;
}

async function refusal(answer: Response): Promise<Refused> {
  return new Refused(answer.status, reason(await answer.text(), answer.statusText));
}

function reason(body: string, otherwise: string): string {
  try {
    return (JSON.parse(body) as { error: string }).error;
  } catch {
    return otherwise;
  }
}
