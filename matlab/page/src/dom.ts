// Small helpers for elements.

type Attributes = Record<string, string | number | boolean | ((event: never) => void) | undefined>;
type Child = Node | string | undefined | false;

/** An element. Attributes whose names begin with "on" are listeners; `true` sets one without a value. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K, attributes: Attributes = {}, ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value as EventListener);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child): child is Node | string => child !== undefined && child !== false));
  return element;
}

/** The element of index.html with this id. */
export function $<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no #${id}`);
  return element as T;
}

export function iconButton(icon: Icon, label: string, click: (event: MouseEvent) => void): HTMLButtonElement {
  const button = h("button", { type: "button", class: "icon", title: label, "aria-label": label, onclick: click });
  button.append(drawn(icon));
  return button;
}

const PATHS = {
  file: "M4 1.8h5l3.2 3.2v9.2H4zM9 1.8V5h3.2",
  code: "M4 1.8h5l3.2 3.2v9.2H4zM9 1.8V5h3.2M6 9.2l1.6 1.4L6 12M8.8 12h1.6",
  picture: "M2.5 3h11v10h-11zM2.5 11l3-3.4 2.6 2.6 2-1.8 3.4 3M10 5.8h.8",
  data: "M3 4c0-1.1 2.2-2 5-2s5 .9 5 2-2.2 2-5 2-5-.9-5-2zM3 4v8c0 1.1 2.2 2 5 2s5-.9 5-2V4M3 8c0 1.1 2.2 2 5 2s5-.9 5-2",
  folder: "M1.8 3.2h4.4l1.4 1.6h6.6v8H1.8z",
  newFile: "M4 1.8h5l3.2 3.2v9.2H4zM8 6.8v4.4M5.8 9h4.4",
  newFolder: "M1.8 3.2h4.4l1.4 1.6h6.6v8H1.8zM8 6.8v4M6 8.8h4",
  upload: "M8 10.5v-8M4.8 5.5 8 2.3l3.2 3.2M2.5 10.5v3h11v-3",
  refresh: "M13.3 8A5.3 5.3 0 1 1 11.6 4.2M13.4 1.8v3h-3",
  up: "M8 13V3.5M4 7.3l4-4 4 4",
  home: "M2.2 7.6 8 2.6l5.8 5M4 6.4v7h8v-7",
  more: "M3.4 8h.1M8 8h.1M12.6 8h.1",
  close: "M4 4l8 8M12 4l-8 8",
  enlarge: "M9.5 2.5h4v4M13.3 2.7 9.3 6.7M6.5 13.5h-4v-4M2.7 13.3l4-4",
  reset: "M2.7 8a5.3 5.3 0 1 0 1.7-3.8M2.6 1.8v3h3",
  erase: "M3 4.5h10M6.2 4.5V2.8h3.6v1.7M4.2 4.5l.6 9h6.4l.6-9M6.8 7v4M9.2 7v4",
  download: "M8 2.3v8M4.8 7.3 8 10.5l3.2-3.2M2.5 10.5v3h11v-3",
} as const;

export type Icon = keyof typeof PATHS;

export function drawn(icon: Icon): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", PATHS[icon]);
  svg.append(path);
  return svg;
}
