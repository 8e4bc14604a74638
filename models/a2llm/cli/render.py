"""`a2 render`: a motion file and its sound as a video of the talking head."""

import argparse
from pathlib import Path

from a2llm.cli.arguments import Commands, UsageError, checked, count, examples

LARGEST_PX = 2160
DESCRIPTION = "Render the talking head as an MP4 (H.264, AAC), in software. Takes answer.motion.json in rig arkit61."
EXAMPLES = examples(
    "a2 render answer.motion.json --audio answer.wav --out clip.mp4",
    "a2 render answer.motion.json --audio answer.wav --out man.mp4 --avatar man --size 768 --fps 40",
)


@checked
def size(text: str) -> int:
    if not text.isdecimal() or int(text) % 2 or not 16 <= int(text) <= LARGEST_PX:
        raise ValueError(f"a size is an even number of pixels in 16..{LARGEST_PX}, not {text!r}")
    return int(text)


def register(commands: Commands) -> None:
    parser = commands.add_parser("render", help="make a video of the talking head", description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("motion", metavar="MOTION.json", help="answer.motion.json of `a2 say`, rig arkit61")
    parser.add_argument("--audio", required=True, metavar="FILE", help="the sound that belongs to it, answer.wav")
    parser.add_argument("--out", type=Path, default=Path("clip.mp4"), metavar="FILE", help="the video (default: clip.mp4)")
    parser.add_argument("--avatar", default="woman", metavar="NAME", help="woman, man, or a GLB file with ARKit morphs (default: woman)")
    parser.add_argument("--size", type=size, default=512, metavar="PIXELS", help="width and height (default: 512)")
    parser.add_argument("--fps", type=count, default=25, metavar="N", help="pictures per second (default: 25)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from a2llm.avatar.export import read_motion_json
    from a2llm.rig import ARKIT61

    if arguments.out.suffix.lower() != ".mp4":
        raise UsageError(f"the video is an MP4: --out {arguments.out.with_suffix('.mp4')}")
    motion = read_motion_json(arguments.motion)
    if motion.rig != ARKIT61.name or motion.names != ARKIT61.names:
        raise ValueError(f"{arguments.motion} is in rig {motion.rig}; only arkit61 can be rendered: make it with a2 say --rig arkit61")
    from a2llm.avatar.video import render_video
    from a2llm.cli.progress import progress

    with progress(f"rendering {arguments.out}") as on_progress:
        render_video(
            motion.frames, motion.fps, arguments.audio, arguments.out, arguments.size, arguments.avatar, arguments.fps, on_progress
        )
    print(arguments.out)
