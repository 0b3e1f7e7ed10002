// The user's files, as the session's service hands them out: texts over the WebSocket, everything else over HTTP.
// Paths are relative to the user's folder, with "/" between their parts; "" is that folder itself.
import { NotConnected, Refused, type Connection } from "./connection";
import type { Entry } from "./protocol";
import { tokenHeaders, withToken } from "./token";
import { words } from "./words";

const HOME = "/home/matlab/shared";

export class Files {
  private readonly changed: (() => void)[] = [];

  constructor(private readonly connection: Connection) {}

  /** Told after the page itself changed something. */
  onChange(listener: () => void): void { this.changed.push(listener); }

  list(path: string): Promise<{ entries: Entry[]; truncated: boolean }> {
    return this.connection.call("files.list", { path });
  }

  async makeFolder(path: string): Promise<void> {
    await this.connection.call("files.mkdir", { path });
    this.tell();
  }

  async rename(path: string, to: string): Promise<void> {
    await this.connection.call("files.rename", { path, to });
    this.tell();
  }

  async remove(path: string): Promise<void> {
    await this.connection.call("files.remove", { path });
    this.tell();
  }

  read(path: string): Promise<{ text: string; revision: string }> {
    return this.connection.call("files.read", { path });
  }

  /** Write a file whole. `revision`: only if it still is that one; null: only if there is none; undefined: in any case. */
  async write(path: string, text: string, revision?: string | null): Promise<string> {
    const written = await this.connection.call("files.write", { path, text, ...(revision !== undefined && { revision }) });
    this.tell();
    return written.revision;
  }

  upload(path: string, file: File, progress: (share: number) => void): Promise<void> {
    return new Promise((done, failed) => {
      const request = new XMLHttpRequest(); // fetch does not tell how far it is
      request.open("PUT", new URL(below(path), location.href));
      for (const [name, value] of Object.entries(tokenHeaders())) request.setRequestHeader(name, value);
      request.upload.onprogress = ({ loaded, total }) => progress(total ? loaded / total : 1);
      request.onerror = () => failed(new NotConnected(words().lostMeanwhile));
      request.onload = () => {
        if (request.status >= 400) failed(refusal(request));
        else {
          this.tell();
          done();
        }
      };
      request.send(file);
    });
  }

  download(path: string): void { saveAs(withToken(below(path)).href, nameOf(path)); }

  private tell(): void { this.changed.forEach((listener) => listener()); }
}

/** Hand something over to the browser's downloads. */
export function saveAs(address: string, name: string): void {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
}

export function joined(folder: string, name: string): string { return folder ? `${folder}/${name}` : name; }
export function folderOf(path: string): string { return path.slice(0, Math.max(0, path.lastIndexOf("/"))); }
export function nameOf(path: string): string { return path.slice(path.lastIndexOf("/") + 1); }

/** As the interpreter names it. */
export function absolute(path: string): string { return path ? `${HOME}/${path}` : HOME; }

/** As the page names it; null for what lies outside the user's folder. */
export function relative(path: string): string | null {
  return path === HOME ? "" : path.startsWith(`${HOME}/`) ? path.slice(HOME.length + 1) : null;
}

/** As a string of MATLAB's language. */
export function quoted(text: string): string { return `'${text.replaceAll("'", "''")}'`; }

/** Where the session's service has it, beside the page. */
function below(path: string): string { return `files/${path.split("/").map(encodeURIComponent).join("/")}`; }

function refusal(request: XMLHttpRequest): Refused {
  try {
    const { error, code } = JSON.parse(request.responseText) as { error: string; code: string };
    return new Refused(request.status, error, code);
  } catch {
    return new Refused(request.status, request.statusText);
  }
}
