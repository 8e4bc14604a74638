/** What a visitor chose last time, on this machine only. Reading never fails: without storage there are defaults. */

export interface Preferences {
  theme: "system" | "light" | "dark";
  quality: "high" | "low";
  captions: boolean;
  figures: boolean;
  avatar: string;
  persona: string;
}

const KEY = "a2.preferences";
const DEFAULTS: Preferences = { theme: "system", quality: "high", captions: true, figures: false, avatar: "", persona: "" };

export function loadPreferences(): Preferences {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Preferences>) };
  } catch {
    return { ...DEFAULTS };
  }
}

export function savePreferences(preferences: Preferences): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(preferences));
  } catch {
    // Private windows may refuse; the choice then lasts as long as the page.
  }
}
