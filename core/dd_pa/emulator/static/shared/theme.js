// Light or dark: the system's, until the reader chooses.

const KEY = "dd-pa.theme";
const root = document.documentElement;

/** @returns {"light" | "dark"} */
export function theme() {
  const chosen = root.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** @returns {"light" | "dark"} the new theme */
export function switchTheme() {
  const next = theme() === "dark" ? "light" : "dark";
  root.dataset.theme = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Storage can be switched off: the choice lasts as long as the page.
  }
  return next;
}
