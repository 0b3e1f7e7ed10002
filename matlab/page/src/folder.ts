// Current Folder: what is in it, and everything one does with files. It follows the interpreter's current folder.
import { askName, byMouse, confirmed, openMenu, type Choice } from "./dialog";
import { $, drawn, h, iconButton, type Icon } from "./dom";
import { absolute, folderOf, joined, nameOf, quoted, relative, type Files } from "./files";
import type { Entry } from "./protocol";
import { speak, words } from "./words";

const ICONS: [RegExp, Icon][] = [
  [/\.m$/i, "code"], [/\.(png|jpe?g|gif|bmp|svg|tiff?|pdf)$/i, "picture"], [/\.(mat|csv|tsv|h5|hdf5|xlsx?|ods|bin)$/i, "data"],
];

interface Surroundings {
  open(path: string): void;
  runFile(path: string): void;
  renamed(from: string, to: string): void;
  run(code: string): void;
  busy(): boolean;
  say(text: string): void;
  fail(error: unknown): void;
}

export class Folder {
  private path = "";
  private entries: Entry[] = [];
  private drawn: string | null = null; // whose entries those are
  private selected: string | null = null;
  private interpreter: string | null = null;
  private readonly list = $("file-list");
  private readonly chooser = h("input", { type: "file", multiple: true, hidden: true, id: "upload-files", tabindex: -1 });

  constructor(private readonly files: Files, private readonly around: Surroundings) {
    files.onChange(() => void this.refresh());
    this.chooser.onchange = () => {
      void this.upload(this.path, [...this.chooser.files ?? []]).then(() => { this.chooser.value = ""; });
    };
    document.body.append(this.chooser);
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("contextmenu", (event) => this.menu(event, byMouse(event) ? null : this.chosen));
    this.acceptDrops();
    speak(() => {
      $("files-tools").replaceChildren(
        iconButton("newFile", words().newFile, () => void this.newFile()),
        iconButton("newFolder", words().newFolder, () => void this.newFolder()),
        iconButton("upload", words().upload, () => this.chooser.click()),
        iconButton("refresh", words().refresh, () => void this.refresh()),
      );
      this.draw();
    });
  }

  get current(): string { return this.path; }

  /** Where the interpreter is, relative to the user's folder; null if that is elsewhere. */
  get here(): string | null { return this.interpreter === null ? null : relative(this.interpreter); }

  follow(folder: string | null): void {
    if (folder === null || folder === this.interpreter) return;
    this.interpreter = folder;
    const path = relative(folder);
    if (path !== null && path !== this.path) void this.show(path);
  }

  async refresh(): Promise<void> {
    const { path } = this;
    try {
      const { entries } = await this.files.list(path);
      const shown = entries.filter(({ name }) => !name.startsWith("."));
      if (path !== this.path || (path === this.drawn && JSON.stringify(shown) === JSON.stringify(this.entries))) return;
      this.entries = shown;
      this.drawn = path;
    } catch {
      if (path && path === this.path) await this.show(folderOf(path)); // it is gone, or was renamed
      return;
    }
    this.draw();
  }

  private async show(path: string): Promise<void> {
    this.path = path;
    this.selected = null;
    this.list.scrollTop = 0;
    await this.refresh();
  }

  /** As in MATLAB the interpreter goes along; while it is busy, only this pane does. */
  private go(path: string): void {
    if (this.around.busy() || path === this.here) void this.show(path);
    else this.around.run(`cd (${quoted(absolute(path))})`);
  }

  private draw(): void {
    this.drawPath();
    const rows = this.entries.map((entry, place) => this.row(entry, place));
    const nothing = h("div", { class: "empty" }, h("strong", {}, words().folderEmpty), h("span", {}, words().folderEmptyHint));
    this.list.replaceChildren(...(rows.length ? rows : [nothing]));
    this.select(this.selected);
  }

  private drawPath(): void {
    const crumbs: Node[] = [];
    const parts = this.path ? this.path.split("/") : [];
    const home = h("button", { type: "button", title: words().home, "aria-label": words().home, onclick: () => this.go("") });
    home.append(drawn("home"));
    crumbs.push(home);
    parts.forEach((part, i) => crumbs.push(
      document.createTextNode("/"),
      h("button", { type: "button", onclick: () => this.go(parts.slice(0, i + 1).join("/")) }, part),
    ));
    $("path").replaceChildren(...crumbs);
  }

  private row(entry: Entry, place: number): HTMLElement {
    const { name, kind, size } = entry;
    const icon = kind === "folder" ? "folder" : ICONS.find(([pattern]) => pattern.test(name))?.[1] ?? "file";
    // for the mouse and fingers only; keys have their own way to the menu
    const more = h("span", {
      class: "icon", title: words().more, "aria-hidden": "true",
      onclick: (event: MouseEvent) => this.menu(event, entry), ondblclick: (event: Event) => event.stopPropagation(),
    }, drawn("more"));
    return h("div", {
      class: `entry ${kind === "folder" ? "folder" : /\.m$/.test(name) ? "m" : ""}`, role: "option", id: `entry-${place}`,
      "data-name": name, "aria-selected": "false", title: name,
      onclick: () => this.select(name),
      ondblclick: () => this.open(entry),
      oncontextmenu: (event: MouseEvent) => { event.stopPropagation(); this.menu(event, entry); },
    }, drawn(icon), h("span", {}, name), kind === "file" && h("small", {}, readable(size)), more);
  }

  private select(name: string | null): void {
    this.selected = name;
    this.list.removeAttribute("aria-activedescendant");
    for (const row of this.list.querySelectorAll<HTMLElement>(".entry")) {
      const chosen = row.dataset.name === name;
      row.ariaSelected = String(chosen);
      if (chosen) this.list.setAttribute("aria-activedescendant", row.id);
    }
  }

  private get chosen(): Entry | null { return this.entries.find(({ name }) => name === this.selected) ?? null; }

  private open(entry: Entry): void {
    const path = joined(this.path, entry.name);
    if (entry.kind === "folder") this.go(path);
    else this.around.open(path);
  }

  private menu(event: MouseEvent, entry: Entry | null): void {
    event.preventDefault();
    const choices: Choice[] = [];
    if (entry) {
      const { name, kind } = entry;
      const path = joined(this.path, name);
      this.select(name);
      choices.push({ label: words().open, choose: () => this.open(entry) });
      if (/\.m$/.test(name)) choices.push({ label: words().runFile, choose: () => this.around.runFile(path) });
      if (kind === "file") choices.push({ label: words().download, choose: () => this.files.download(path) });
      choices.push(
        { label: words().rename, choose: () => void this.rename(name) },
        { label: words().remove, danger: true, choose: () => void this.remove(name) },
      );
    } else {
      choices.push(
        { label: words().newFile, choose: () => void this.newFile() },
        { label: words().newFolder, choose: () => void this.newFolder() },
        { label: words().upload, choose: () => this.chooser.click() },
        { label: words().refresh, choose: () => void this.refresh() },
      );
    }
    openMenu(event, this.list.querySelector("[aria-selected=true]") ?? this.list, choices);
  }

  private key(event: KeyboardEvent): void {
    const place = this.entries.findIndex(({ name }) => name === this.selected);
    const entry = this.chosen;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const next = this.entries[Math.max(0, Math.min(this.entries.length - 1, place + (event.key === "ArrowDown" ? 1 : -1)))];
      this.select(next?.name ?? null);
      this.list.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && entry) this.open(entry);
    else if (event.key === "F2" && entry) void this.rename(entry.name);
    else if (event.key === "Delete" && entry) void this.remove(entry.name);
    else if (event.key === "Backspace" && this.path) this.go(folderOf(this.path));
    else return;
    event.preventDefault();
  }

  private async newFile(): Promise<void> {
    const name = await askName(words().newFile, this.unused("untitled", ".m"));
    if (!name) return;
    await this.carryOut(async () => {
      await this.files.write(joined(this.path, name), "", null);
      this.around.open(joined(this.path, name));
    });
  }

  private async newFolder(): Promise<void> {
    const name = await askName(words().newFolder, this.unused("folder", ""));
    if (name) await this.carryOut(() => this.files.makeFolder(joined(this.path, name)));
  }

  private async rename(name: string): Promise<void> {
    const to = await askName(`${words().rename}: ${name}`, name);
    if (!to || to === name) return;
    await this.carryOut(async () => {
      await this.files.rename(joined(this.path, name), joined(this.path, to));
      this.around.renamed(joined(this.path, name), joined(this.path, to));
    });
  }

  private async remove(name: string): Promise<void> {
    if (!await confirmed(words().reallyRemove(name), words().reallyRemoveHint, words().remove)) return;
    await this.carryOut(() => this.files.remove(joined(this.path, name)));
  }

  private async carryOut(change: () => Promise<void>): Promise<void> {
    try {
      await change();
    } catch (error) {
      this.around.fail(error);
    }
  }

  private unused(stem: string, ending: string): string {
    const taken = new Set(this.entries.map(({ name }) => name));
    let name = stem + ending;
    for (let number = 2; taken.has(name); number++) name = `${stem}${number}${ending}`;
    return name;
  }

  private acceptDrops(): void {
    const pane = $("files");
    const target = (event: DragEvent): [HTMLElement, string] => {
      const row = (event.target as HTMLElement).closest<HTMLElement>(".entry.folder");
      return row ? [row, joined(this.path, row.dataset.name!)] : [pane, this.path];
    };
    let marked: HTMLElement | null = null;
    const mark = (element: HTMLElement | null) => {
      marked?.classList.remove("dropping");
      marked = element;
      marked?.classList.add("dropping");
    };
    pane.ondragover = (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      mark(target(event)[0]);
    };
    pane.ondragleave = (event) => { if (!pane.contains(event.relatedTarget as Node)) mark(null); };
    pane.ondrop = (event) => {
      event.preventDefault();
      mark(null);
      const dropped = [...event.dataTransfer?.items ?? []];
      if (dropped.some((item) => item.webkitGetAsEntry?.()?.isDirectory)) this.around.say(words().folderOnly);
      const files = dropped.filter((item) => !item.webkitGetAsEntry?.()?.isDirectory)
        .map((item) => item.getAsFile()).filter((file) => file !== null);
      void this.upload(target(event)[1], files);
    };
    // a file dropped beside the pane must not take the page's place
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => event.preventDefault());
  }

  private async upload(folder: string, files: File[]): Promise<void> {
    const progress = $("files-progress");
    let done = 0;
    for (const file of files) {
      if (folder === this.path && this.entries.some(({ name }) => name === file.name)
        && !await confirmed(words().replaceFile(file.name), "", words().replace)) continue;
      progress.hidden = false;
      try {
        await this.files.upload(joined(folder, file.name), file, (share) => {
          progress.textContent = words().uploading(file.name, Math.floor(100 * share));
        });
        done++;
      } catch (error) {
        this.around.say(words().notUploaded(nameOf(file.name), (error as Error).message));
      }
    }
    progress.hidden = true;
    if (done) this.around.say(words().uploaded(done));
  }
}

export function readable(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = -1;
  do {
    value /= 1000;
    unit++;
  } while (value >= 999.5 && unit < units.length - 1);
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
