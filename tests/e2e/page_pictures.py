"""Pictures of the page before the real product, to look at: `python tests/e2e/page_pictures.py FOLDER [NAME ...]`. Not a test."""

import os
import signal
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from bench.realtime_client import spoken_question
from bench.service import Service
from e2e.page_driver import Browser, write_microphone
from PIL import Image

DESKTOP, PHONE, SMALL, SIDEWAYS = (1080, 680), (390, 780), (320, 568), (740, 360)
Picture = Callable[[Browser, Service], None]


def neutral(browser: Browser, product: Service) -> None:
    browser.open(product.url, *DESKTOP, quality="high")


def speaking(browser: Browser, product: Service) -> None:
    browser.open(product.url, *DESKTOP, quality="high")
    say(browser, "How are you?")


def speaking_dark(browser: Browser, product: Service) -> None:
    browser.open(product.url, *DESKTOP, theme="dark", figures=True)
    say(browser, "Tell me about the sea.")


def listening(browser: Browser, product: Service) -> None:
    browser.open(product.url, *DESKTOP)
    browser.open_microphone(True)
    browser.until("__a2.microphone === 'on'")
    browser.say(np.concatenate([spoken_question(name) for name in ("bm_george_00", "af_sarah_00")]))
    browser.until("__a2.state === 'listening' && __a2.captions.at(-1)?.text.length > 8 || __a2.state === 'thinking'")


def your_turn(browser: Browser, product: Service) -> None:
    browser.open(product.url, *PHONE)
    browser.open_microphone(True)
    browser.until("__a2.microphone === 'on'")
    browser.say(spoken_question("am_eric_00"))
    browser.until("__a2.captions.length > 1")
    browser.state("ready")


def phone(browser: Browser, product: Service) -> None:
    browser.open(product.url, *PHONE)
    say(browser, "Tell me about the sea.")


def small_phone(browser: Browser, product: Service) -> None:
    browser.open(product.url, *SMALL)
    say(browser, "What can you do?")


def sideways(browser: Browser, product: Service) -> None:
    browser.open(product.url, *SIDEWAYS)
    say(browser, "What can you do?")


def transcript(browser: Browser, product: Service) -> None:
    browser.open(product.url, *DESKTOP)
    say(browser, "What can you do?")
    browser.call("keyboard.press", "Escape")
    browser.call("click", "[popovertarget=log]")


def settings(browser: Browser, product: Service) -> None:
    browser.open(product.url, *PHONE)
    browser.call("click", "[popovertarget=settings]")


def no_server(browser: Browser, product: Service) -> None:
    """The gateway comes back by itself; this is what is seen meanwhile."""
    browser.open(product.url, *DESKTOP)
    os.kill(product.state.parts["gateway"].pid, signal.SIGKILL)
    browser.until("!document.getElementById('notice').hidden")


PICTURES: list[Picture] = [
    neutral,
    speaking,
    speaking_dark,
    listening,
    your_turn,
    phone,
    small_phone,
    sideways,
    transcript,
    settings,
    no_server,
]


STORY = "Tell me a long story about a fisherman who finds a lighthouse on an island."
# Holds sound and face at a drawn frame with an open mouth: drawing one in high quality takes longer than a word.
HOLD = """new Promise((done) => {
  let spoke = false;
  const look = () => {
    const drawn = __a2.trace.at(-1);
    if (__a2.playedMs > 700 && drawn.jawOpen - drawn.mouthClose > 0.17 && __a2.captions.at(-1).text.length > 12) {
      const currentTime = tap.context.currentTime - (__a2.playedMs - drawn.playedMs) / 1000;
      tap.context.suspend();
      Object.defineProperties(tap.context, { currentTime: { value: currentTime }, state: { value: "running" } });
      return done(true);
    }
    spoke ||= __a2.state === "speaking";
    if (spoke && __a2.state === "ready") return done(false);
    requestAnimationFrame(look);
  };
  look();
})"""


def say(browser: Browser, text: str = STORY) -> None:
    """Ask until it is caught in mid-word."""
    for _ in range(8):
        browser.type(text)
        if browser.value(HOLD):
            return
    print("its mouth was never open when a frame was drawn")


def slim(path: Path) -> None:
    """256 colours are enough for it: a third of the bytes."""
    picture = Image.open(path).convert("RGB")
    palette = picture.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=2)
    picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


def main() -> None:
    folder, wanted = Path(sys.argv[1]), sys.argv[2:]
    folder.mkdir(parents=True, exist_ok=True)
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        wav = write_microphone(home / "noise.wav", np.zeros(0))
        with Service(home, checkout=None) as product, Browser(os.environ | {"PATH": path}, wav) as browser:
            for picture in PICTURES:
                if not wanted or picture.__name__ in wanted:
                    picture(browser, product)
                    path = folder / f"page-{picture.__name__.replace('_', '-')}.png"
                    browser.picture(path)
                    slim(path)
                    print(path, browser.value("__a2.state"), flush=True)


if __name__ == "__main__":
    main()
