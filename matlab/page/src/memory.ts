// What this browser remembers of the page: history, layout, open files. An iframe of another site may be refused a
// memory; the page then forgets when it is closed, and works all the same.

export function kept<T>(key: string, otherwise: T): T {
  try {
    const text = localStorage.getItem(key);
    return text === null ? otherwise : JSON.parse(text) as T;
  } catch {
    return otherwise;
  }
}

export function keep(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // refused, or full: until the page is closed, then
  }
}
