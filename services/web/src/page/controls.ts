/** Everything a visitor can press: push-to-talk (button, space), open microphone, text, stop, Escape. */
import type { A2Avatar } from "../avatar/avatar.ts";
import { box, button, element, input, setText } from "./dom.ts";

const LEVEL_GAIN = 7; // speech at arm's length is about 0.1 RMS
const TAKES_KEYS = "input[type=text], select, textarea, button, [role=switch], [popover]";

export function bindControls(avatar: A2Avatar): void {
  bindText(avatar);
  bindHold(avatar);
  bindSpace(avatar);
  bindOpenMicrophone(avatar);
  bindStop(avatar);
}

function bindText(avatar: A2Avatar): void {
  const [message, send] = [input("message"), button("send")];
  const update = () => (send.disabled = !message.value.trim() || !online(avatar));
  message.addEventListener("input", update);
  avatar.on("state", update);
  element("composer", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    if (avatar.say(message.value)) message.value = "";
    update();
  });
}

function bindHold(avatar: A2Avatar): void {
  const hold = button("hold");
  const press = (down: boolean) => (avatar.microphoneOpen && down ? avatar.stopMicrophone() : pressed(avatar, hold, down));
  hold.addEventListener("pointerdown", (event) => {
    hold.setPointerCapture(event.pointerId);
    press(true);
  });
  for (const name of ["pointerup", "pointercancel", "blur"]) hold.addEventListener(name, () => press(false));
  hold.addEventListener("keydown", (event) => {
    if (event.key === " " || event.key === "Enter") {
      event.preventDefault();
      if (!event.repeat) press(true);
    }
  });
  hold.addEventListener("keyup", (event) => (event.key === " " || event.key === "Enter") && press(false));
  hold.addEventListener("contextmenu", (event) => event.preventDefault());
  avatar.on("level", (level) => hold.style.setProperty("--level", Math.min(1, level * LEVEL_GAIN).toFixed(2)));
  avatar.on("state", () => (hold.disabled = !online(avatar)));
  avatar.on("microphone", () => showLive(hold, avatar.microphoneOpen));
}

/** While the microphone is open, the button that was held closes it. */
function showLive(hold: HTMLButtonElement, live: boolean): void {
  document.body.classList.toggle("live", live);
  hold.classList.toggle("live", live);
  setText(box("hold-name"), live ? "Close the microphone" : "Hold to talk");
}

/** Space anywhere, unless the key belongs to what has the focus. */
function bindSpace(avatar: A2Avatar): void {
  const hold = button("hold");
  const free = (event: KeyboardEvent) => event.code === "Space" && !(event.target as Element).closest?.(TAKES_KEYS);
  addEventListener("keydown", (event) => {
    if (!free(event)) return;
    event.preventDefault();
    if (!event.repeat) pressed(avatar, hold, true);
  });
  addEventListener("keyup", (event) => event.code === "Space" && pressed(avatar, hold, false));
  addEventListener("blur", () => pressed(avatar, hold, false));
}

function pressed(avatar: A2Avatar, hold: HTMLButtonElement, down: boolean): void {
  if (down && (hold.disabled || avatar.microphoneOpen)) return;
  if ((hold.getAttribute("aria-pressed") === "true") === down) return;
  hold.setAttribute("aria-pressed", String(down));
  avatar.talk(down);
}

function bindOpenMicrophone(avatar: A2Avatar): void {
  const open = input("open-mic");
  open.addEventListener("change", () => {
    if (open.checked) void avatar.startMicrophone().then((on) => (open.checked = on));
    else avatar.stopMicrophone();
  });
  avatar.on("microphone", (state) => (open.checked = avatar.microphoneOpen || (open.checked && state === "starting")));
  avatar.on("state", () => (open.disabled = !online(avatar)));
}

function bindStop(avatar: A2Avatar): void {
  const stop = button("stop");
  stop.addEventListener("click", () => avatar.stop());
  addEventListener("keydown", (event) => event.key === "Escape" && avatar.stop());
  avatar.on("state", (state) => (stop.disabled = state !== "speaking" && state !== "thinking"));
}

const online = ({ state }: A2Avatar): boolean => ["ready", "listening", "thinking", "speaking"].includes(state);
