/** Pickers and settings: avatar, persona, theme, quality, captions, figures; each kept for the next visit. */
import type { A2Avatar } from "../avatar/avatar.ts";
import { avatarList, personaList } from "../wire/rest.ts";
import { box, button, select } from "./dom.ts";
import { type Preferences, savePreferences } from "./preferences.ts";

export function bindChoices(avatar: A2Avatar, preferences: Preferences): void {
  bindSettings(avatar, preferences);
  const filled = avatar.on("state", (state) => {
    if (state !== "ready") return;
    filled();
    void fillPickers(avatar, preferences);
  });
}

async function fillPickers(avatar: A2Avatar, preferences: Preferences): Promise<void> {
  const [avatars, personas] = await Promise.all([
    avatarList(location.origin, avatar.clientSecret),
    personaList(location.origin, avatar.clientSecret),
  ]);
  const [head, who] = [select("avatar"), select("persona")];
  fill(
    head,
    avatars.map(({ url, title }) => [url, title]),
    preferences.avatar,
  );
  fill(
    who,
    personas.map(({ name, title }) => [name, title]),
    preferences.persona,
  );
  const headOfPersona = () => {
    const named = personas.find(({ name }) => name === who.value)?.avatar;
    const own = avatars.find(({ name }) => name === named);
    if (!own || own.url === head.value) return;
    head.value = own.url;
    void avatar.setAvatar(own.url);
  };
  if (!preferences.avatar) headOfPersona();
  head.addEventListener("change", () => {
    keep(preferences, { avatar: head.value });
    void avatar.setAvatar(head.value);
  });
  who.addEventListener("change", () => {
    keep(preferences, { persona: who.value });
    avatar.setPersona(who.value);
    headOfPersona();
  });
}

function fill(picker: HTMLSelectElement, options: (readonly [string, string])[], chosen: string): void {
  picker.replaceChildren(...options.map(([value, title]) => new Option(title, value)));
  if (options.some(([value]) => value === chosen)) picker.value = chosen;
  box(`${picker.id}-field`).hidden = options.length < 2;
}

function bindSettings(avatar: A2Avatar, preferences: Preferences): void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const toggle = button("figures-toggle");
  const apply = () => {
    const theme = preferences.theme === "system" ? (dark.matches ? "dark" : "light") : preferences.theme;
    document.documentElement.dataset["theme"] = theme;
    document.body.classList.toggle("low", preferences.quality === "low");
    document.body.classList.toggle("no-captions", !preferences.captions);
    box("figures").hidden = !preferences.figures;
    toggle.setAttribute("aria-pressed", String(preferences.figures));
  };
  dark.addEventListener("change", apply);
  toggle.addEventListener("click", () => {
    keep(preferences, { figures: !preferences.figures });
    apply();
  });
  for (const field of box("settings").querySelectorAll("input")) {
    field.checked = field.type === "checkbox" ? preferences.captions : preferences[field.name as "theme"] === field.value;
    field.addEventListener("change", () => {
      keep(preferences, { [field.name]: field.type === "checkbox" ? field.checked : field.value });
      if (field.name === "quality") avatar.setQuality(preferences.quality);
      apply();
    });
  }
  apply();
}

function keep(preferences: Preferences, change: Partial<Preferences>): void {
  savePreferences(Object.assign(preferences, change));
}
