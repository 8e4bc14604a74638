/** The page: builds the avatar and lets each view follow it. */
import { A2Avatar } from "../avatar/avatar.ts";
import { CaptionView } from "./captions.ts";
import { bindChoices } from "./choices.ts";
import { bindControls } from "./controls.ts";
import { box, setText } from "./dom.ts";
import { showFigures } from "./figures.ts";
import { loadPreferences, type Preferences } from "./preferences.ts";
import { exposeProbe } from "./probe.ts";
import { StatusView } from "./status.ts";
import "./style.css";

/** The dock may cover this much of the shirt before the face moves up. */
const SHIRT_PX = 40;
/** The top bar may cover this much above the hair: more only where it has two rows. */
const HAIR_PX = 42;

function start(): void {
  const preferences = loadPreferences();
  const avatar = build(preferences);
  if (!avatar) return;
  const captions = new CaptionView();
  new StatusView(avatar);
  bindControls(avatar);
  bindChoices(avatar, preferences);
  avatar.on("captions", (lines) => captions.show(lines));
  avatar.on("turn", () => showFigures(avatar.turns));
  keepFaceFree(avatar);
  exposeProbe(avatar);
  avatar.connect().catch(() => undefined); // the status view says why
}

function build(preferences: Preferences): A2Avatar | null {
  const { avatar, persona, quality } = preferences;
  try {
    return new A2Avatar({ container: box("stage"), quality, binary: true, ...(avatar && { avatar }), ...(persona && { persona }) });
  } catch {
    box("notice").hidden = false;
    setText(box("notice-text"), "This browser cannot draw the face: WebGL 2 is switched off or missing.");
    setText(box("status-word"), "No picture");
    document.body.dataset["state"] = "failed";
    return null;
  }
}

/** The face sits between the top bar and the composer; captions may lie over the shirt. */
function keepFaceFree(avatar: A2Avatar): void {
  const update = () => {
    const covered = innerHeight - box("composer").getBoundingClientRect().top;
    const bar = document.querySelector(".top")!.getBoundingClientRect();
    avatar.setInsets({ top: Math.max(16, bar.bottom - HAIR_PX), bottom: Math.max(0, covered - SHIRT_PX) });
  };
  new ResizeObserver(update).observe(box("composer"));
  addEventListener("resize", update);
}

start();
