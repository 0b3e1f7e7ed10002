// The panes: dragged and remembered sizes, and columns that can be hidden.
import { $ } from "./dom";
import { keep, kept } from "./memory";

const desk = $("desk");
const STEP = 24; // pixels that an arrow key moves a splitter

interface Split {
  id: string;
  /** The custom property of #desk that holds the size of `pane`. */
  property: string;
  pane: string;
  /** +1: the pane lies before the splitter; -1: behind it. */
  side: 1 | -1;
  /** Least size of the pane, and of what is on the other side. */
  least: number;
  spare: number;
}

const SPLITS: Split[] = [
  { id: "split-left", property: "--left", pane: "left", side: 1, least: 120, spare: 560 },
  { id: "split-right", property: "--right", pane: "right", side: -1, least: 180, spare: 440 },
  { id: "split-centre", property: "--documents", pane: "documents", side: 1, least: 80, spare: 110 },
  { id: "split-figures", property: "--figures", pane: "figures", side: -1, least: 60, spare: 90 },
];

export function layOut(): void {
  SPLITS.forEach(makeSplit);
  for (const side of ["left", "right"] as const) {
    const button = $(`toggle-${side}`);
    const show = (shown: boolean) => {
      desk.classList.toggle(`without-${side}`, !shown);
      button.ariaExpanded = String(shown);
      keep(`shows-${side}`, shown);
    };
    show(kept(`shows-${side}`, true));
    button.onclick = () => show(desk.classList.contains(`without-${side}`));
  }
}

function makeSplit({ id, property, pane, side, least, spare }: Split): void {
  const splitter = $(id);
  const across = splitter.classList.contains("vertical");
  const area = $(pane);
  const size = () => (across ? area.offsetWidth : area.offsetHeight);
  const room = () => (across ? desk.clientWidth : area.parentElement!.clientHeight);
  const resize = (wanted: number) => {
    // as a share of the room, so that a smaller window has smaller panes
    const share = Math.max(least, Math.min(room() - spare, wanted)) / room();
    desk.style.setProperty(property, `${(share * 100).toFixed(2)}%`);
    keep(property, share);
  };
  const share = kept(property, 0);
  if (share) desk.style.setProperty(property, `${(share * 100).toFixed(2)}%`);
  new ResizeObserver(() => { splitter.ariaValueNow = String(Math.round((100 * size()) / room())); }).observe(area);

  splitter.onpointerdown = (down) => {
    down.preventDefault();
    splitter.setPointerCapture(down.pointerId);
    const [began, from] = [size(), across ? down.clientX : down.clientY];
    splitter.onpointermove = (move) => resize(began + side * ((across ? move.clientX : move.clientY) - from));
    splitter.onpointerup = splitter.onpointercancel = () => { splitter.onpointermove = null; };
  };
  splitter.onkeydown = (event) => {
    const [less, more] = across ? ["ArrowLeft", "ArrowRight"] : ["ArrowUp", "ArrowDown"];
    if (event.key === less) resize(size() - side * STEP);
    else if (event.key === more) resize(size() + side * STEP);
    else return;
    event.preventDefault();
  };
  splitter.ondblclick = () => { desk.style.removeProperty(property); keep(property, 0); };
}
