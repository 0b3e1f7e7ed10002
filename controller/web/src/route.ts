// Which view is shown, kept in the address (`#/users/7`), so that it can be linked to and the browser's back works.
import { computed, signal } from "@preact/signals";

export const VIEWS = ["users", "nodes", "desired", "history", "events"] as const;
export type View = (typeof VIEWS)[number];

const hash = signal(location.hash);
addEventListener("hashchange", () => (hash.value = location.hash));

/** The view, and what within it: a user's id, a generation. */
export const route = computed<{ view: View; id: number | null }>(() => {
  const [, view, id] = hash.value.split("/");
  const known = VIEWS.find((each) => each === view) ?? "users";
  return { view: known, id: id && /^[1-9][0-9]*$/.test(id) ? Number(id) : null };
});

export const linkTo = (view: View, id?: number | null) => (id ? `#/${view}/${id}` : `#/${view}`);

export function go(view: View, id?: number | null): void {
  location.hash = linkTo(view, id);
}
