// Moments as a person reads them, which tick by themselves; the exact one is in the title. Only their text changes each
// second, and only where it reads otherwise: nothing around them is drawn anew.
import { useComputed, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { now } from "../live";
import { exact, moment, span } from "../words";

/** How long ago, or how long it has been so: `3 min`. */
export function Since({ at }: { at: string }) {
  const text = useTicking(at, (moment) => span(now.value - moment));
  return <time dateTime={at} title={exact(at)}>{text}</time>;
}

/** How long until then: `12 s`; nothing once it has come. */
export function Until({ at }: { at: string }) {
  const text = useTicking(at, (moment) => span(moment - now.value));
  return <time dateTime={at} title={exact(at)}>{text}</time>;
}

/** The time of day, with the date where it is not today's. */
export function Moment({ at }: { at: string }) {
  return <time dateTime={at} title={exact(at)}>{moment(at)}</time>;
}

function useTicking(at: string, told: (moment: number) => string) {
  const moment = useSignal(Date.parse(at));
  useEffect(() => void (moment.value = Date.parse(at)), [at]);
  return useComputed(() => told(moment.value));
}
